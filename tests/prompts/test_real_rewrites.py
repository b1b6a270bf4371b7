"""The filters against what a real instruct model of 135M parameters wrote for real prompts, labelled by hand.

Each line of real_rewrites.jsonl is a rewrite that passes the other filters, with its label: depth (a request that keeps
the prompt's content), breadth (a request for something else), answer, fragment or talk. A parent is named by its file,
row and digest; its text lies beside this checkout. An in-depth strategy asks for depth, breadth for any request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from evolve.recipe.sections import MIN_CONTENT
from places import SHARED
from prompts import Prompt, load_rewrite_templates
from prompts.content import content_of
from prompts.filters import verdict
from prompts.reasons import KEPT

LABELS = ("depth", "breadth", "answer", "fragment", "talk")
REAL = [json.loads(line) for line in (Path(__file__).parent / "real_rewrites.jsonl").read_text("utf-8").splitlines()]
TEMPLATES = load_rewrite_templates()


@cache
def parent_of(source: str, row: int) -> Prompt:
    path = SHARED / "data" / source
    if not path.exists():
        pytest.skip(f"the prompts that were rewritten are not at {path}")
    said = json.loads(path.read_text("utf-8").splitlines()[row])
    if "prompt" in said:
        text = said["prompt"]
    else:
        given = said["instances"][0]["input"]
        text = said["instruction"] + (f"\n\n{given}" if given else "")
    return Prompt([{"role": "user", "content": text}])


@dataclass(frozen=True)
class Judged:
    """A labelled rewrite, and what the filters and the default bound say."""

    source: tuple[str, int]
    wanted: bool
    found: str

    @property
    def rejected(self) -> bool:
        return self.found != KEPT


def judged(row: dict[str, Any]) -> Judged:
    parent, template = parent_of(row["source"], row["row"]), TEMPLATES[row["strategy"]]
    found = verdict(parent, row["rewrite"], template, "stop")
    measured = content_of(parent, parent.with_instruction(row["rewrite"], row["strategy"]))
    if found == KEPT and measured is not None and measured < MIN_CONTENT:
        found = "lost_content"
    wanted = row["label"] == "depth" or (row["strategy"] == "breadth" and row["label"] == "breadth")
    return Judged((row["source"], row["row"]), wanted, found)


def precision_and_recall(rows: list[Judged]) -> tuple[float, float]:
    """Of the rejection: how much of what is rejected is bad, and how much of what is bad is rejected."""
    right = sum(row.rejected and not row.wanted for row in rows)
    return right / sum(row.rejected for row in rows), right / sum(not row.wanted for row in rows)


def is_held_out(source: tuple[str, int]) -> bool:
    """The half of the parents on which no bound and no rule was chosen."""
    return blake2b(f"{source[0]} {source[1]}".encode(), digest_size=1).digest()[0] % 2 == 1


def test_the_labels_are_whole_and_of_the_parents_they_name() -> None:
    assert len(REAL) == 120
    assert {row["label"] for row in REAL} == set(LABELS)
    assert {row["strategy"] for row in REAL} == set(TEMPLATES)
    for row in REAL:
        text = parent_of(row["source"], row["row"]).instruction
        assert blake2b(text.encode(), digest_size=8).hexdigest() == row["parent_digest"]


def test_which_rules_find_them() -> None:
    assert {judged(row).found for row in REAL} == {KEPT, "lost_content", "not_a_request", "refers_back"}


@pytest.mark.parametrize(("part", "precision", "recall"), [("held out", 1.0, 0.70), ("all", 1.0, 0.77)])
def test_precision_and_recall_of_the_rejection(part: str, precision: float, recall: float) -> None:
    rows = [one for one in map(judged, REAL) if part == "all" or is_held_out(one.source)]
    found = precision_and_recall(rows)
    assert found[0] >= precision, found
    assert found[1] >= recall, found


def test_good_rewrites_are_kept() -> None:
    good = [one for one in map(judged, REAL) if one.wanted]
    assert len(good) == 10
    assert [one for one in good if one.rejected] == []
