"""X': the rewrites that became prompts. A view, because what counts as a duplicate depends on the set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.claims import rewrite_keys
from evolve.pool.ids import ID, Index, distinct, id_array, ids_of, text_of
from evolve.pool.pool import Pool
from evolve.views.pairs import Missing
from evolve.views.verdicts import accepted, present_verdicts
from prompts import RewriteTemplate, turns_key
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


class Rewrites:
    """All rewrites of `parents` as the pool has them, read once: X' of all of them, or X'_k of any of them."""

    def __init__(
        self,
        pool: Pool,
        parents: Sequence[str],
        initial: Collection[str],
        templates: dict[str, RewriteTemplate],
        sampler_id: str,
        per_strategy: int,
        reward_limit: int | None,
        min_content: float = 0.0,
    ) -> None:
        """`initial` are the prompts of X, of which no rewrite may be a duplicate."""
        self.parents = parents
        self.strategies = [template.strategy for template in templates.values() for _ in range(per_strategy)]
        asked = rewrite_keys(parents, list(templates.values()), sampler_id, per_strategy)
        self._found = _read(pool, asked, initial, reward_limit, min_content)
        self._of_x = Index(self._found.initial_keys)

    @property
    def accepted(self) -> list[str]:
        """The ids of all accepted rewrites that are there, each once, of which some may be duplicates of others."""
        return list(dict.fromkeys(text_of(self._found.ids[self._found.verdicts == KEPT])))

    def of(self, which: Sequence[int] | np.ndarray | None = None) -> Evolved:
        """The accepted rewrites of the parents at `which` places, or of all, without duplicates of each other or of X.

        Of duplicates the first in order of parent, strategy and number stays, whichever was finished first: the same
        set after a crash, and for one parent alone or among many. Raises `UserError` when rewrites are missing.
        """
        width = len(self.strategies)
        chosen = np.arange(len(self.parents)) if which is None else np.asarray(which, dtype=np.int64)
        rows = (chosen[:, None] * width + np.arange(width)).ravel()
        verdicts, keys = self._found.verdicts[rows], self._found.keys[rows]
        if missing := int((verdicts == "").sum()):
            raise Missing(f"{missing} of {len(rows)} rewrites are not there yet for this recipe")
        kept = np.flatnonzero(verdicts == KEPT)
        _, same = distinct(keys[kept])
        is_first = np.zeros(len(kept), bool)
        is_first[np.unique(same, return_index=True)[1]] = True
        verdicts[kept[~is_first | (self._of_x.find(keys[kept]) >= 0)]] = DUPLICATE
        kept = np.flatnonzero(verdicts == KEPT)
        places = [divmod(n, width) for n in rows[kept].tolist()]
        return Evolved(
            ids=text_of(self._found.ids[rows[kept]]),
            parent_ids=[self.parents[parent] for parent, _ in places],
            strategies=[self.strategies[strategy] for _, strategy in places],
            n_in=len(rows),
            dropped=Counter(verdicts[verdicts != KEPT].tolist()),
        )


def are_in_x(pool: Pool, prompt_ids: Sequence[str]) -> bool:
    """Whether all these prompts are in the pool as prompts of X."""
    asked = Index(id_array(prompt_ids))
    found = np.zeros(len(prompt_ids), bool)
    for part in pool.prompts.scan(["id", "parent_id"]):
        at = asked.find(ids_of(part["id"].filter(pc.equal(part["parent_id"], ""))))
        found[at[at >= 0]] = True
    return bool(found.sum() == len(asked))


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


@dataclass(frozen=True)
class _Found:
    """The asked-for rewrites in their order: ids, verdicts ("" where there is none yet), and the keys of the
    conversations of those that may be kept; and the keys of X.
    """

    ids: np.ndarray
    verdicts: np.ndarray
    keys: np.ndarray
    initial_keys: np.ndarray


def _read(
    pool: Pool, asked: np.ndarray, initial: Collection[str], reward_limit: int | None, min_content: float
) -> _Found:
    index, of_x = Index(asked), Index(id_array(list(initial)))
    ids, keys, verdicts = np.empty(len(asked), ID), np.empty(len(asked), ID), np.full(len(asked), "", object)
    found = _Found(ids=ids, verdicts=verdicts, keys=keys, initial_keys=np.empty(0, ID))
    initial_keys = [found.initial_keys]
    for part in pool.prompts.scan(["key", "id", "messages", "parent_id", "verdict", "reward_limit", "content_kept"]):
        part_ids, at = ids_of(part["id"]), index.find(ids_of(part["key"]))
        is_initial = pc.equal(part["parent_id"], "").to_numpy() & (of_x.find(part_ids) >= 0)
        initial_keys.append(_conversation_keys(part["messages"].filter(pa.array(is_initial))))
        ours = np.flatnonzero(at >= 0)
        at = at[ours]
        rows = part.take(ours)
        of_part = present_verdicts(rows, reward_limit, min_content)
        found.ids[at], found.verdicts[at] = part_ids[ours], of_part
        kept = of_part == KEPT
        found.keys[at[kept]] = _conversation_keys(rows["messages"].filter(pa.array(kept)))
    return replace(found, initial_keys=np.concatenate(initial_keys))


def _conversation_keys(messages: pa.ChunkedArray) -> np.ndarray:
    """`conversation_key` of each conversation of a column, in the form of ids."""
    keys = []
    for chunk in messages.chunks:
        turns = chunk.flatten()
        roles, contents = turns.field("role").to_pylist(), turns.field("content").to_pylist()
        ends = np.cumsum(pc.list_value_length(chunk).to_numpy()).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            keys.append(turns_key(roles[start:end], contents[start:end]).hex())
    return id_array(keys)
