"""A held-out set by families of prompts: what was rewritten from one prompt is near to it, so both fall on one side."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from evolve.pool.pool import Pool
from evolve.views.verdicts import MAYBE_KEPT
from prompts.errors import UserError

TRAIN, TEST = "train", "test"
_SHARE = re.compile(r"[0-9]{1,2}(\.[0-9]{1,6})?%")


def share_of(text: str) -> float:
    """The share that `text` ("5%") asks for. Raises `UserError`."""
    share = float(text[:-1]) / 100 if _SHARE.fullmatch(text) else 0.0
    if not share:
        raise UserError(f"--test {text[:40]!r} is no share: expected a percentage above 0 and below 100, such as 5%.")
    return share


class Families:
    """The families of a pool's prompts. A rewrite that two prompts have in common makes them one family, whether or not
    it is in the dataset: so a family is the same for every selection.
    """

    def __init__(self, pool: Pool) -> None:
        self._head: dict[str, str] = {}
        for part in pool.prompts.scan(["id", "parent_id", "verdict"]):
            for row in part.to_pylist():
                if row["parent_id"] and row["verdict"] in MAYBE_KEPT:
                    self._unite(row["id"], row["parent_id"])

    def of(self, prompt_id: str) -> str:
        """The family of a prompt: the least of the ids in it."""
        seen = []
        while (head := self._head.get(prompt_id, prompt_id)) != prompt_id:
            seen.append(prompt_id)
            prompt_id = head
        for one in seen:
            self._head[one] = prompt_id
        return prompt_id

    def _unite(self, one: str, other: str) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._head[second] = first


@dataclass(frozen=True)
class Split:
    """Which side a prompt of a pool is on, where the share `asked` ("5%") is held out. `seed` is that of the prompts:
    sampled anew they stay where they are.
    """

    asked: str
    seed: int
    families: Families

    def side(self, prompt_id: str) -> str:
        """TRAIN or TEST."""
        return TEST if is_held_out(self.families.of(prompt_id), self.seed, share_of(self.asked)) else TRAIN

    def needs_both(self, n: dict[str, int]) -> None:
        """Raise `UserError` where a side has no pair."""
        if not all(n.get(side) for side in (TRAIN, TEST)):
            raise UserError(
                f"--test {self.asked} of {sum(n.values()):,} pairs leaves one side empty: families of prompts are not "
                "divided. Give another share, or a larger dataset."
            )


def split_of(pool: Pool, seed: int, asked: str) -> Split:
    """The split of a pool's prompts. Raises `UserError` where `asked` is no share."""
    share_of(asked)
    return Split(asked, seed, Families(pool))


def is_held_out(family: str, seed: int, share: float) -> bool:
    """Whether a family is in the test set: by a hash of its name, so independent of order and of what else there is."""
    digest = hashlib.blake2b(f"{seed} {family}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64
