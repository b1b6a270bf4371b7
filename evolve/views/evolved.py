"""X': the rewrites that became prompts. A view, because what counts as a duplicate depends on the set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolve.pool.claims import rewrite_key
from evolve.pool.pool import Pool
from evolve.views.verdicts import MAYBE_KEPT, accepted, present_verdict
from prompts import RewriteTemplate, conversation_key
from prompts.errors import UserError
from prompts.filters import DUPLICATE
from prompts.reasons import KEPT


@dataclass(frozen=True)
class Evolved:
    """X' in the order of its parents and strategies. `n_in` rewrites were asked for; `dropped`: why some are out."""

    ids: list[str]
    parent_ids: list[str]
    strategies: list[str]
    n_in: int
    dropped: Counter[str] = field(default_factory=Counter)


def evolved_prompts(
    pool: Pool,
    parents: Sequence[str],
    initial: set[str],
    templates: dict[str, RewriteTemplate],
    sampler_id: str,
    per_strategy: int,
    reward_limit: int | None,
    min_content: float = 0.0,
) -> Evolved:
    """X' of `parents`: their accepted rewrites without duplicates of each other or of the prompts `initial` (X).

    Of duplicates the first in order of parent, strategy and number stays, whichever was finished first: the same set
    after a crash, and for one parent alone or among many. Raises `UserError` when rewrites are missing.
    """
    asked = [(p, t, i) for p in parents for t in templates.values() for i in range(per_strategy)]
    rank = {bytes.fromhex(rewrite_key(p, t, sampler_id, i)): n for n, (p, t, i) in enumerate(asked)}
    rows, taken = _read(pool, rank, initial)
    if len(rows) < len(asked):
        raise UserError(
            f"{len(asked) - len(rows)} of {len(asked)} rewrites are not there yet for this recipe. "
            "`evolve run` with the same recipe computes only what is missing."
        )
    evolved = Evolved([], [], [], len(asked))
    for n in range(len(asked)):
        row, key = rows[n]
        why = present_verdict(row, reward_limit, min_content)
        if why == KEPT and key in taken:
            why = DUPLICATE
        if why != KEPT:
            evolved.dropped[why] += 1
            continue
        taken.add(key)
        evolved.ids.append(row["id"])
        evolved.parent_ids.append(row["parent_id"])
        evolved.strategies.append(row["strategy"])
    return evolved


def readable(
    pool: Pool,
    sample: Collection[str],
    parents: Collection[str],
    templates: Collection[str],
    reward_limit: int | None,
    min_content: float,
) -> set[str]:
    """Ids of the prompts whose responses are read, as far as they are there: `sample`, and the accepted rewrites of
    `parents` by these strategies. Duplicates among them too: which of them is in X' depends on the set.
    """
    found = set()
    for part in pool.prompts.scan(["id", "parent_id", "strategy", "verdict", "reward_limit", "content_kept"]):
        for row in part.to_pylist():
            if row["parent_id"]:
                ours = row["parent_id"] in parents and row["strategy"] in templates
                is_read = ours and accepted(row, reward_limit, min_content)
            else:
                is_read = row["id"] in sample
            if is_read:
                found.add(row["id"])
    return found


def first_origins(
    pool: Pool, parents: Sequence[str], templates: dict[str, RewriteTemplate]
) -> dict[str, tuple[str, str]]:
    """Parent and strategy of every rewrite in the pool, by its id; of several the first in the order of `parents` and
    `templates`, whichever was finished first.
    """
    place = {parent: n for n, parent in enumerate(parents)}
    order = {strategy: n for n, strategy in enumerate(templates)}
    found: dict[str, tuple[tuple[int, int, str, str], tuple[str, str]]] = {}
    for part in pool.prompts.scan(["id", "parent_id", "strategy"]):
        for row in part.to_pylist():
            parent, strategy = row["parent_id"], row["strategy"]
            if not parent:
                continue
            rank = (place.get(parent, len(place)), order.get(strategy, len(order)), parent, strategy)
            if row["id"] not in found or rank < found[row["id"]][0]:
                found[row["id"]] = (rank, (parent, strategy))
    return {prompt_id: origin for prompt_id, (_, origin) in found.items()}


def _read(
    pool: Pool, rank: dict[bytes, int], initial: set[str]
) -> tuple[dict[int, tuple[dict[str, Any], bytes]], set[bytes]]:
    """The asked-for rewrites by rank, with the key of their conversation, and the keys of X."""
    rows: dict[int, tuple[dict[str, Any], bytes]] = {}
    taken: set[bytes] = set()
    columns = ["key", "id", "messages", "parent_id", "strategy", "verdict", "reward_limit", "content_kept"]
    for part in pool.prompts.scan(columns):
        for row in part.to_pylist():
            messages = row.pop("messages")
            if not row["parent_id"] and row["id"] in initial:
                taken.add(conversation_key(messages))
            n = rank.get(bytes.fromhex(row["key"]))
            if n is not None:
                rows[n] = (row, conversation_key(messages) if row["verdict"] in MAYBE_KEPT else b"")
    return rows, taken
