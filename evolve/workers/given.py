"""Existing preference data as rows of a pool: prompts, responses with log-probabilities, the data's own rewards."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from evolve.pool.claims import initial_key
from evolve.pool.pool import Pool
from evolve.pool.table import Table
from evolve.recipe.identity import Maker
from evolve.sources.conversation import RowDropped
from evolve.sources.preferences import Given, Preferences
from evolve.watch.progress import progress
from evolve.watch.tally import Tally
from evolve.workers.rows import prompt_row, text_key
from generation.logprobs import Asked, Forced, Forcing, Said
from prompts import Prompt, content_id
from prompts.errors import UserError
from prompts.filters import DUPLICATE
from prompts.reasons import KEPT, OWED, is_owed

NOT_DRAWN = "not_drawn"
NO_REWARD = "no_reward"
PROMPTS_PER_CALL = 32  # so that a crash costs seconds, and progress shows
TOLD = 3  # bad rows that are told in words


class Indices:
    """Numbers for the responses of each prompt, in the order in which the data has them; equal ones have one number."""

    def __init__(self) -> None:
        self._known: dict[bytes, dict[tuple[int, float | None], int]] = {}

    def of(self, prompt_id: str, given: Given) -> list[int]:
        """A number for each response of a row. The same text with another reward is another response."""
        known = self._known.setdefault(bytes.fromhex(prompt_id), {})
        keys = [(text_key(text), reward) for text, reward in zip(given.texts, given.rewards, strict=True)]
        return [known.setdefault(key, len(known)) for key in keys]


def draw_given(preferences: Preferences, limit: int | None, seed: int) -> dict[str, Any]:
    """Read the data once and return what is kept of it: the prompt of each pair and the numbers of its two responses,
    which rows these are, and the books. With a `limit` a random sample, which is part of that of a larger limit.
    """
    indices, seen, dropped, told = Indices(), set[bytes](), Counter[str](), list[str]()
    drawn: list[tuple[str, int, str, int, int]] = []
    n_in = most = with_reward = reversed_ = 0
    for number, given in enumerate(preferences.rows()):
        n_in += 1
        if isinstance(given, RowDropped):
            dropped[given.reason] += 1
            told += [f"row {number + 1}: {given}"] * (len(told) < TOLD)
            continue
        prompt_id = Prompt(given.messages).id
        numbers = indices.of(prompt_id, given)
        chosen, rejected = numbers[given.chosen], numbers[given.rejected]
        key = content_id("given", seed, prompt_id, chosen, rejected)
        if bytes.fromhex(key) in seen:
            dropped[DUPLICATE] += 1
            continue
        seen.add(bytes.fromhex(key))
        drawn.append((key, number, prompt_id, chosen, rejected))
        most = max(most, *numbers)
        scores = given.rewards[given.chosen], given.rewards[given.rejected]
        with_reward += None not in scores
        reversed_ += None not in scores and scores[0] < scores[1]  # type: ignore[operator]
    if not drawn:
        why = "; ".join([*told, *(f"{reason} {n:,}" for reason, n in dropped.items())]) or "nothing in it"
        raise UserError(f"The data has no pair that can be read ({n_in:,} rows; {why}).")
    if limit is not None and limit < len(drawn):
        dropped[NOT_DRAWN] = len(drawn) - limit
        drawn = sorted(heapq.nsmallest(limit, drawn), key=lambda one: one[1])
    return {
        "n_in": n_in,
        "dropped": dict(dropped),
        "bad_rows": told,
        "ids": [prompt_id for _, _, prompt_id, _, _ in drawn],
        "given": [[chosen, rejected] for _, _, _, chosen, rejected in drawn],
        "rows": [number for _, number, _, _, _ in drawn],
        "n": max(2, most + 1),
        "with_reward": with_reward,
        "reversed": reversed_,
    }


class GivenWorker:
    """Puts the drawn rows into the pool, with the log-probabilities of a policy that is loaded when one is missing."""

    def __init__(self, pool: Pool, sampler: Maker, rewards_id: str, load: Callable[[], Forcing], tally: Tally) -> None:
        """`rewards_id` is the id of the data's own rewards; "" if it has none."""
        self.pool, self.sampler, self.rewards_id, self.tally = pool, sampler, rewards_id, tally
        self._load = load
        self._forcing: Forcing | None = None
        self._prompts = _keys(pool.prompts, "key", "verdict")
        self._responses = _keys(pool.responses(sampler.id), "id", "error")
        self._rewards = _keys(pool.rewards(rewards_id), "response_id", "error") if rewards_id else set()

    def force_missing(self, preferences: Preferences, drawn: dict[str, Any]) -> None:
        """Everything that the pool lacks of the drawn rows. The caller holds the locks of prompts and rewards."""
        self.tally.passed, self.tally.total = 0, len(drawn["ids"])
        try:
            with progress(self.tally, "pairs"):
                group: list[tuple[Prompt, list[tuple[int, str, str]]]] = []
                for prompt, missing in self._missing(preferences, drawn):
                    if not missing:
                        self.tally.passed += 1
                        continue
                    group.append((prompt, missing))
                    if len(group) == PROMPTS_PER_CALL:
                        self._force(group)
                        group = []
                if group:
                    self._force(group)
        finally:
            self.pool.flush()

    def _missing(
        self, preferences: Preferences, drawn: dict[str, Any]
    ) -> Iterator[tuple[Prompt, list[tuple[int, str, str]]]]:
        """Of each drawn row its prompt, and number, text and id of the responses that lack a log-probability. Prompts
        and the data's rewards are put into the pool on the way.
        """
        indices, wanted = Indices(), iter(drawn["rows"])
        next_row, at = next(wanted, None), 0
        for number, given in enumerate(preferences.rows()):
            if isinstance(given, RowDropped):
                continue
            prompt = Prompt(given.messages)
            prompt_id = prompt.id
            numbers = indices.of(prompt_id, given)
            if number != next_row:
                continue
            if prompt_id != drawn["ids"][at] or [numbers[given.chosen], numbers[given.rejected]] != drawn["given"][at]:
                raise UserError(f"The data changed while it was read (row {number + 1}). Run the same command again.")
            next_row, at = next(wanted, None), at + 1
            yield prompt, list(self._of_row(prompt, prompt_id, given, numbers))
        if next_row is not None:
            raise UserError("The data changed while it was read: rows are gone. Run the same command again.")

    def _of_row(
        self, prompt: Prompt, prompt_id: str, given: Given, numbers: list[int]
    ) -> Iterator[tuple[int, str, str]]:
        key = initial_key(prompt_id)
        if _new(key, self._prompts):
            self.pool.prompts.append([prompt_row(key, prompt, KEPT)])
        for number, text, reward in zip(numbers, given.texts, given.rewards, strict=True):
            identity = content_id("response", prompt_id, self.sampler.id, number, text)
            if _new(identity, self._responses):
                yield number, text, identity
            if self.rewards_id and _new(identity, self._rewards):
                error = NO_REWARD if reward is None else None
                self.pool.rewards(self.rewards_id).append(
                    [{"response_id": identity, "score": reward, "objectives": [], "weights": [], "error": error}]
                )

    def _force(self, group: list[tuple[Prompt, list[tuple[int, str, str]]]]) -> None:
        if self._forcing is None:
            self._forcing = self._load()
            about = {"policy": self.sampler.model, "engine_description": self._forcing.description}
            self.pool.describe("sampler", self.sampler.id, self.sampler.settings | about)
        asked = [Asked(prompt.messages, [Said(text) for _, text, _ in missing]) for prompt, missing in group]
        for (prompt, missing), found in zip(group, self._forcing.force(asked), strict=True):
            self.pool.responses(self.sampler.id).append(
                self._row(prompt.id, number, text, identity, forced)
                for (number, text, identity), forced in zip(missing, found, strict=True)
            )
        self.tally.worked += len(group)
        self.tally.passed += len(group)

    def _row(self, prompt_id: str, number: int, text: str, identity: str, forced: Forced) -> dict[str, Any]:
        tally = self.tally
        tally.samples += 1
        tally.tokens += forced.n_tokens
        tally.dropped.update([forced.error] if forced.error else [])
        tally.owed.update([forced.error] if is_owed(forced.error) else [])
        return {
            "id": identity,
            "prompt_id": prompt_id,
            "sampler_id": self.sampler.id,
            "sample_index": number,
            "text": text,
            "text_key": text_key(text),
            "blank": not text.strip(),
            "n_tokens": forced.n_tokens,
            "logp": None if forced.error else forced.logp,
            "finish_reason": "stop" if forced.ended else "length",
            "note": forced.note or None,
            "error": forced.error or None,
        }


def _keys(table: Table, name: str, reason: str) -> set[bytes]:
    """The ids in a column, without those that left through a machine's fault: they are missing."""
    found: set[bytes] = set()
    for part in table.scan([name, reason]):
        owed = np.isin(np.array(part[reason].fill_null("").to_pylist(), object), OWED)
        ids = part[name].to_pylist()
        found.update(bytes.fromhex(identity) for identity, again in zip(ids, owed, strict=True) if not again)
    return found


def _new(identity: str, there: set[bytes]) -> bool:
    """True, once, for an id that is not among `there`."""
    raw = bytes.fromhex(identity)
    if raw in there:
        return False
    there.add(raw)
    return True
