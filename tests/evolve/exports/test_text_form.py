"""The form `text`: the policy's template applied, for trainers that know none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evolve.exports import text
from evolve.exports.export import export
from fake_runs import fake_recipe, make, prompt, write_source
from generation.conversation import ChatTokenizer
from generation.turns import closing_token
from places import ROOT
from prompts.errors import UserError
from templated_runs import templated, view

END = "<|eot_id|>"


@pytest.fixture(scope="module")
def template() -> ChatTokenizer:
    return ChatTokenizer(ROOT / "recipes" / "embedded" / "policy")


def pair(prompt: list[dict[str, str]], chosen: str, rejected: str) -> dict[str, Any]:
    sides = {"chosen": chosen, "rejected": rejected}
    return {"prompt": prompt} | {name: [{"role": "assistant", "content": said}] for name, said in sides.items()}


ASKED = [{"role": "user", "content": "Why?"}]
EDGES = [
    pair(ASKED, "Because.", "No."),
    pair([{"role": "system", "content": ""}, *ASKED], "Because.", "No."),
    pair([*ASKED, {"role": "assistant", "content": "So."}, *ASKED], "Because.", "No."),
    pair(ASKED, "  outer\n\n", "\twhite space "),
    pair(ASKED, "Because.", ""),
    pair(ASKED, f"It says {END} and {END}", END),
    pair(ASKED, "\u00e9t\u00e9 \u4e2d \U0001f600\u2028", "e\u0301"),
]


@pytest.mark.parametrize("row", EDGES)
def test_put_together_it_is_the_template(row: dict[str, Any], template: ChatTokenizer) -> None:
    assert template.tokenizer.convert_ids_to_tokens(closing_token(template)) == END
    (said,) = text.rows(row, template, END)
    for side in ("chosen", "rejected"):
        assert said["prompt"] + said[side] == template.render(row["prompt"] + row[side])
        assert said[side].endswith(END)
        typed = row[side][0]["content"].count(END)
        assert said[side].count(END) == 1 + typed
    assert said["prompt"] == template.render(row["prompt"], generation_prompt=True)


class Written:
    """A template as its text is: what stands before an answer, after it, and where an answer is to begin."""

    def __init__(self, before: str, after: str, opened: str) -> None:
        self._before, self._after, self._opened = before, after, opened

    def render(self, messages: list[Any], *, generation_prompt: bool = False) -> str:
        said = "".join(
            f"[{m['role']}]{self._before if m['role'] == 'assistant' else ''}{m['content']}{self._after}"
            for m in messages
        )
        return said + (f"[assistant]{self._opened}" if generation_prompt else "")


def test_what_a_template_writes_after_the_end_of_a_turn_is_no_part_of_it() -> None:
    (said,) = text.rows(pair(ASKED, "Because.", ""), Written("", "<end>\n", ""), "<end>")
    assert said == {"prompt": "[user]Why?<end>\n[assistant]", "chosen": "Because.<end>", "rejected": "<end>"}


def test_a_turn_that_the_template_leaves_open_is_ended() -> None:
    (said,) = text.rows(pair(ASKED, "Because.", "No."), Written("", "", ""), "<end>")
    assert said == {"prompt": "[user]Why?[assistant]", "chosen": "Because.<end>", "rejected": "No.<end>"}


def test_an_answer_without_its_thoughts_does_not_stand_in_the_thoughts_that_a_template_opens() -> None:
    opening = Written("", "<end>", "<think>\n")
    (said,) = text.rows(pair(ASKED, "<Because.", "<No."), opening, "<end>")
    assert said == {"prompt": "[user]Why?<end>[assistant]", "chosen": "<Because.<end>", "rejected": "<No.<end>"}
    empty = Written("<think></think>", "<end>", "")
    (said,) = text.rows(pair(ASKED, "Because.", "No."), empty, "<end>")
    assert said["chosen"] == "<think></think>Because.<end>"


def test_thoughts_stay_as_they_were_sampled() -> None:
    opening = Written("", "<end>", "<think>\n")
    (said,) = text.rows(pair(ASKED, "So.</think>\n\nYes.", "</think>No."), opening, "<end>", with_thoughts=True)
    assert said["prompt"] + said["chosen"] == "[user]Why?<end>[assistant]<think>\nSo.</think>\n\nYes.<end>"
    assert said["rejected"] == "</think>No.<end>"


def test_a_run_is_exported_as_the_template_of_its_policy_writes_it(template: ChatTokenizer, tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [*map(prompt, range(5)), f"What is {END} for?"])
    made = templated(source, tmp_path / "run", policy__system_prompt="Be brief.")
    export(view(tmp_path / "run"), "text", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    for row, pair in zip(rows, made.train.to_pylist(), strict=True):
        for side in ("chosen", "rejected"):
            assert row["prompt"] + row[side] == template.render(pair["prompt"] + pair[side])


def test_a_policy_without_a_template_is_told(tmp_path: Path) -> None:
    make(fake_recipe(write_source(tmp_path / "x.jsonl", [*map(prompt, range(5))])), tmp_path / "run")
    with pytest.raises(UserError, match=r"applies the policy's chat template.*the fake one"):
        export(view(tmp_path / "run"), "text", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
