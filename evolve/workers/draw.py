"""Drawing X: read from the source, given its system prompt, put into the pool where it is not there yet."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

from evolve.pool.claims import Claims, initial_key
from evolve.pool.pool import Pool
from evolve.recipe.sections import Recipe
from evolve.sources.prompts import load_prompts
from evolve.workers.rows import prompt_row
from prompts import Prompt
from prompts.filters import DUPLICATE
from prompts.reasons import KEPT

log = logging.getLogger(__name__)


def draw(pool: Pool, claims: Claims, recipe: Recipe) -> dict[str, Any]:
    """Draw X and return what is kept of it: the recipe's section, the commit of a Hub dataset, the books (n_in,
    dropped), and the ids in order.
    """
    config = recipe.prompts
    drawn = load_prompts(
        config.source,
        split=config.split,
        column=config.column,
        limit=config.limit,
        seed=config.seed,
        draw=config.draw,
    )
    for told in drawn.bad_rows:
        log.warning("dropped from %s: %s", config.source, told)
    system = recipe.policy.system_prompt
    ids = add_initial(pool, claims, (_with_system_prompt(prompt, system) for prompt in drawn.prompts))
    dropped = Counter(drawn.dropped)
    if same := len(drawn) - len(ids):  # one had the system prompt that the other was given
        dropped[DUPLICATE] += same
    return {
        "source": config.model_dump(),
        "commit": drawn.commit,
        "n_in": drawn.n_in,
        "dropped": dict(dropped),
        "ids": ids,
    }


def add_initial(pool: Pool, claims: Claims, prompts: Iterable[Prompt]) -> list[str]:
    """Put X into the pool where it is not there yet; returns its ids in order, each once."""
    ids: dict[str, None] = {}
    for prompt in prompts:
        ids[prompt.id] = None
        key = initial_key(prompt.id)
        if claims.claim(key):
            pool.prompts.append([prompt_row(key, prompt, KEPT)])
    pool.flush()
    return list(ids)


def _with_system_prompt(prompt: Prompt, system: str | None) -> Prompt:
    if system is None or prompt.messages[0]["role"] == "system":
        return prompt
    return Prompt([{"role": "system", "content": system}, *prompt.messages])
