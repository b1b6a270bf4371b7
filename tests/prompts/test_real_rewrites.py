"""The filters against what a real instruct model of 135M parameters wrote for real prompts, labelled by hand.

Each line of real_rewrites.jsonl is a rewrite that passes the filters but refers_back, not_a_request and lost_content,
with its label, given by reading parent and rewrite before any of these three was asked:

    depth     a request that can be understood and answered, for what the parent asks and with what it gives. It need
              not be harder, nor free of slips; a stray word in front is one.
    breadth   a request that can be understood and answered, for something else, or without a part of what is asked
    answer    the parent answered, or begun to be, rightly or not; also after the parent's own words
    fragment  a title, a cut-off piece of the parent, words without sense
    talk      words about the task, the prompt or the writer, that ask for nothing; also after the parent's own words

An in-depth strategy asks for depth, breadth for either of the two requests.

A parent is named by its file, row and digest; its text lies beside this checkout, and where a rewrite has 24 characters
or more of it in a row it stands as [start, end] of the parent. `draw` says how a rewrite was drawn:

    first            43 prompts at random, the shipped templates: on half of these parents rules and bound were chosen
    natural          further prompts at random (25 to 260 characters), the shipped templates
    short            one line of at most 110 characters, the shipped templates
    short_templates  such prompts, the templates of recipes/embedded
    examples         such prompts, templates with two examples each (drawn_by/)
    one_sentence     such prompts, templates of one sentence (drawn_by/), four samples a template
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
from places import ROOT, SHARED
from prompts import STRATEGIES, Prompt, load_rewrite_templates
from prompts.content import content_of
from prompts.filters import verdict
from prompts.reasons import KEPT

DRAWN_BY = Path(__file__).parent / "drawn_by"
TEMPLATES = {
    "short_templates": load_rewrite_templates(ROOT / "recipes" / "embedded" / "templates"),
    "examples": load_rewrite_templates(DRAWN_BY / "examples"),
    "one_sentence": load_rewrite_templates(DRAWN_BY / "one_sentence", STRATEGIES[:4]),
} | dict.fromkeys(("first", "natural", "short"), load_rewrite_templates())
AT_RANDOM = ("first", "natural")
SHARED_RUN = 24  # characters
LABELS = ("depth", "breadth", "answer", "fragment", "talk")
REAL = [json.loads(line) for line in (Path(__file__).parent / "real_rewrites.jsonl").read_text("utf-8").splitlines()]


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


def text_of(rewrite: list[str | list[int]], parent: Prompt) -> str:
    return "".join(part if isinstance(part, str) else parent.instruction[slice(*part)] for part in rewrite)


@dataclass(frozen=True)
class Judged:
    """A labelled rewrite, and what the filters and the default bound say."""

    source: tuple[str, int]
    draw: str
    wanted: bool
    found: str

    @property
    def rejected(self) -> bool:
        return self.found != KEPT


def judged(row: dict[str, Any]) -> Judged:
    parent, template = parent_of(row["source"], row["row"]), TEMPLATES[row["draw"]][row["strategy"]]
    rewrite = text_of(row["rewrite"], parent)
    found = verdict(parent, rewrite, template, "stop")
    measured = content_of(parent, parent.with_instruction(rewrite, row["strategy"]))
    if found == KEPT and measured is not None and measured < MIN_CONTENT:
        found = "lost_content"
    wanted = row["label"] == "depth" or (row["strategy"] == "breadth" and row["label"] == "breadth")
    return Judged((row["source"], row["row"]), row["draw"], wanted, found)


def precision_and_recall(rows: list[Judged]) -> tuple[float, float]:
    """Of the rejection: how much of what is rejected is bad, and how much of what is bad is rejected."""
    right = sum(row.rejected and not row.wanted for row in rows)
    return right / sum(row.rejected for row in rows), right / sum(not row.wanted for row in rows)


def is_held_out(source: tuple[str, int]) -> bool:
    """The half of the parents on which no bound and no rule was chosen."""
    return blake2b(f"{source[0]} {source[1]}".encode(), digest_size=1).digest()[0] % 2 == 1


def test_the_labels_are_whole_and_of_the_parents_they_name() -> None:
    assert len(REAL) == 419
    assert {row["label"] for row in REAL} == set(LABELS)
    assert {row["draw"] for row in REAL} == set(TEMPLATES)
    assert {row["strategy"] for row in REAL} == set(STRATEGIES)
    for row in REAL:
        text = parent_of(row["source"], row["row"]).instruction
        assert blake2b(text.encode(), digest_size=8).hexdigest() == row["parent_digest"]


def test_no_text_of_a_parent_stands_here() -> None:
    """Beside the model's own words only places in the parent: what a rewrite shares with it is not written out."""
    for row in REAL:
        parent = parent_of(row["source"], row["row"]).instruction
        own = [part for part in row["rewrite"] if isinstance(part, str)]
        assert not any(part[i : i + SHARED_RUN] in parent for part in own for i in range(len(part) - SHARED_RUN + 1))


def test_which_rules_find_them() -> None:
    assert {judged(row).found for row in REAL} == {KEPT, "lost_content", "not_a_request", "refers_back"}


@pytest.mark.parametrize(
    ("part", "precision", "recall"),
    [
        ("held out", 1.0, 0.77),
        ("all", 1.0, 0.84),
        ("at random, held out", 1.0, 0.75),
        ("at random", 1.0, 0.83),
    ],
)
def test_precision_and_recall_of_the_rejection(part: str, precision: float, recall: float) -> None:
    rows = [one for one in map(judged, REAL) if one.draw in AT_RANDOM or "random" not in part]
    found = precision_and_recall([one for one in rows if is_held_out(one.source) or "held out" not in part])
    assert found[0] >= precision, found
    assert found[1] >= recall, found


def test_good_rewrites_are_kept() -> None:
    good = [one for one in map(judged, REAL) if one.wanted]
    assert len(good) == 30
    assert [one for one in good if one.rejected] == []
