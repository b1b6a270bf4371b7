"""The whole story of a prompt: where it came from, what was sampled, how it was scored, which pair was made and why."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

import numpy as np

from evolve.pool.lookup import Lookup
from evolve.run import Run
from evolve.views.outcome import Outcome
from evolve.views.pairs import Pairs
from evolve.views.verdicts import present_verdict
from prompts.errors import UserError
from prompts.filters import DUPLICATE
from prompts.reasons import KEPT

SHORTEST = 6  # digits of an id that are taken for one


class Stories:
    """The prompts of an iteration's outcome, X in order and then X', each with all that the pool has of it.

    A story is a dict that JSON takes: `id`, `messages`, `source` (initial or evolved), `parent` and `strategy` of a
    rewrite, `rewrites` of an initial prompt with their verdicts, `responses` (text, thoughts, score, `scores` by reward
    model where there are several, objectives, logp, n_tokens, finish_reason, error), and `pair` (which responses, both
    margins, rank and selected where it was ranked) or `reason`, why there is none.
    """

    def __init__(self, run: Run, outcome: Outcome) -> None:
        self._run, self._outcome = run, outcome
        evolved = outcome.evolved
        self.ids = [*run.prompts, *evolved.ids]
        self._origin = dict(zip(evolved.ids, zip(evolved.parent_ids, evolved.strategies, strict=True), strict=True))
        self._initial = set(run.prompts)
        ranking = outcome.ranking
        by_selection = run.recipe.algorithm == "select-then-evolve"
        self._rewritten = set(ranking.selected.column("prompt_id")) if by_selection else self._initial
        self._place = {ranking.ids[i]: place for place, i in enumerate(ranking.order)}
        self._selected = {ranking.ids[i] for i in ranking.best}
        self._pair_of: dict[str, tuple[Pairs, int, str]] = {}
        for pairs in (outcome.dataset, outcome.additional):
            self._pair_of |= {
                prompt_id: (pairs, i, pair_id)
                for i, (prompt_id, pair_id) in enumerate(zip(pairs.column("prompt_id"), pairs.ids, strict=True))
            }

    @property
    def objective_names(self) -> list[str]:
        """Of the first reward model; empty where it has none."""
        return list(self._described(self._run.rewards[0].id).get("objectives") or ())

    def of(self, prompt_id: str) -> dict[str, Any]:
        """The story of a prompt of X or X'."""
        parent, strategy = self._origin.get(prompt_id, (None, None))
        story: dict[str, Any] = {
            "id": prompt_id,
            "source": "initial" if prompt_id in self._initial else "evolved",
            "parent": parent,
            "strategy": strategy,
            "messages": self._prompts.fetch([prompt_id], ["messages"])["messages"].to_pylist()[0],
            "rewrites": self._rewrites[prompt_id] if prompt_id in self._initial else [],
        }
        story["responses"], at = self._responses(prompt_id)
        if (found := self._pair_of.get(prompt_id)) is None:
            return story | {"pair": None, "reason": self._reason(prompt_id)}
        pairs, i, pair_id = found
        row, place = pairs.rows[i], self._place.get(pair_id)
        return story | {
            "pair": {
                "id": pair_id,
                "chosen": at[row["chosen_id"].decode()],
                "rejected": at[row["rejected_id"].decode()],
                "explicit": float(pairs.explicit[i]),
                "implicit": float(pairs.implicit[i]),
                "rank": place,
                "metric_score": None if place is None else float(self._score_of(place)),
                "selected": None if place is None else pair_id in self._selected,
            },
            "reason": "",
        }

    def find(self, text: str) -> str:
        """The prompt of a prompt's, pair's or response's id, or of its first digits. Raises `UserError` for none, and
        for several.
        """
        start = text.strip().lower()
        if len(start) < SHORTEST:
            raise UserError(f"{text!r} is too short for an id: expected at least {SHORTEST} of its digits.")
        found = {prompt_id for prompt_id in self.ids if prompt_id.startswith(start)}
        found |= {prompt_id for prompt_id, (_, _, pair_id) in self._pair_of.items() if pair_id.startswith(start)}
        responses = self._run.responses
        if not found:
            known = set(self.ids)
            sampled = {one for one, span in responses.spans.items() if _begins(responses.ids[span], start)}
            found = sampled & known
        if len(found) == 1:
            return found.pop()
        if not found:
            raise UserError(
                f"Nothing in {self._run.folder} has an id that begins with {text!r}: expected a prompt_id, pair_id, "
                "chosen_id or rejected_id as in train.parquet."
            )
        raise UserError(f"{len(found)} prompts of {self._run.folder} begin with {text!r}. Give more digits.")

    def _score_of(self, place: int) -> float:
        ranking = self._outcome.ranking
        return float(ranking.scores[ranking.order[place]])

    def _responses(self, prompt_id: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """All responses of a prompt in the order of their samples, and the place of each by its id."""
        responses = self._run.responses
        span = responses.spans.get(prompt_id, slice(0, 0))
        ids = [identity.decode() for identity in responses.ids[span]]
        texts = self._run.texts.fetch(ids, ["text", "thoughts", "finish_reason"]).to_pylist()
        by_model = {name: self._scored(lookup, ids) for name, lookup in self._rewards.items()}
        first = next(iter(by_model.values()))
        told = []
        for i, text in enumerate(texts):
            at = span.start + i
            one = text | {
                "id": ids[i],
                "score": _number(responses.scores[at]),
                "logp": _number(responses.logp[at]),
                "n_tokens": int(responses.n_tokens[at]),
                "error": responses.reward_errors[at] or "",
                "objectives": first[i].get("objectives") or [],
            }
            if len(by_model) > 1:
                one["scores"] = {name: _number(rows[i].get("score")) for name, rows in by_model.items()}
            told.append(one)
        return told, {identity: i for i, identity in enumerate(ids)}

    def _reason(self, prompt_id: str) -> str:
        if refused := self._run.responses.errors.get(prompt_id):
            return refused
        return next(iter(self._run.gen_dataset([prompt_id]).dropped), "")

    @cached_property
    def _prompts(self) -> Lookup:
        return Lookup(self._run.pool.prompts, "id")

    @cached_property
    def _rewards(self) -> dict[str, Lookup]:
        return {maker.model: Lookup(self._run.pool.rewards(maker.id), "response_id") for maker in self._run.rewards}

    def _described(self, reward_id: str) -> dict[str, Any]:
        return self._run.pool.description("reward", reward_id) or {}

    @staticmethod
    def _scored(lookup: Lookup, ids: list[str]) -> list[dict[str, Any]]:
        known = [identity for identity in ids if identity in lookup]
        rows = dict(zip(known, lookup.fetch(known, ["score", "objectives"]).to_pylist(), strict=True))
        return [rows.get(identity, {}) for identity in ids]

    @cached_property
    def _rewrites(self) -> dict[str, list[dict[str, Any]]]:
        """Of each prompt that was rewritten for this outcome its rewrites, with what became of them."""
        run, kept = self._run, set(self._outcome.evolved.ids)
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        columns = ["id", "messages", "parent_id", "strategy", "verdict", "reward_limit", "content_kept", "sampler_id"]
        for part in run.pool.prompts.scan(columns):
            for row in part.to_pylist():
                ours = row["parent_id"] in self._rewritten and row["strategy"] in run.templates
                if not ours or row["sampler_id"] != run.sampler.id:
                    continue
                verdict = present_verdict(row, run.resolved.reward_limit, run.recipe.min_content)
                if verdict == KEPT and row["id"] not in kept:
                    verdict = DUPLICATE
                found[row["parent_id"]].append(
                    {"id": row["id"], "strategy": row["strategy"], "verdict": verdict, "text": _last(row["messages"])}
                )
        order = {name: i for i, name in enumerate(run.templates)}
        return defaultdict(
            list, {one: sorted(rows, key=lambda row: order[row["strategy"]]) for one, rows in found.items()}
        )


def _begins(ids: np.ndarray, start: str) -> bool:
    return any(identity.decode().startswith(start) for identity in ids)


def _last(messages: list[dict[str, str]] | None) -> str:
    return messages[-1]["content"] if messages else ""


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
