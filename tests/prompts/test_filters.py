"""The filters against labelled rewrites, against real prompts, and one property at a time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from places import SHARED
from prompts import Prompt, RewriteTemplate, conversation_key, duplicate_key, load_rewrite_templates
from prompts.content import is_request
from prompts.filters import FILTERS, clean, too_long, verdict
from prompts.likeness import nearly_same, words
from prompts.reasons import KEPT

EXAMPLES = [json.loads(line) for line in (Path(__file__).parent / "rewrites.jsonl").read_text("utf-8").splitlines()]
REAL = SHARED / "data" / "ultrafeedback-1000.jsonl"
TEMPLATES = load_rewrite_templates()


def prompt(said: Any) -> Prompt:
    return Prompt([{"role": "user", "content": said}] if isinstance(said, str) else said)


def judge(parent: str, text: str, template: RewriteTemplate = TEMPLATES["constraints"]) -> str:
    return verdict(prompt(parent), clean(text, prompt(parent)), template, "stop")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e['expected']}: {e['rewrite'][:40]!r}")
def test_labelled_example(example: dict[str, Any]) -> None:
    parent = prompt(example["parent"])
    text = clean(example["rewrite"], parent)
    assert verdict(parent, text, TEMPLATES[example["strategy"]], example["finish_reason"]) == example["expected"]


def test_examples_cover_every_reason_and_strategy() -> None:
    found = Counter(example["expected"] for example in EXAMPLES)
    assert set(found) == {KEPT, *(rule.__name__ for rule in FILTERS)}
    assert {e["strategy"] for e in EXAMPLES if e["expected"] == KEPT} == set(TEMPLATES)


def test_first_reason_in_the_stated_order() -> None:
    assert verdict(prompt("Name a fish."), "", TEMPLATES["deepen"], "length") == "empty"
    assert verdict(prompt("Name a fish."), "Name a fish.", TEMPLATES["deepen"], "length") == "cut_off"
    assert verdict(prompt("Name a fish."), "Sure! Name a fish.", TEMPLATES["deepen"], "stop") == "introduction"


def test_leaks_are_found_from_a_template_of_ones_own() -> None:
    own = RewriteTemplate(
        "deepen",
        "Kindly turn whatever follows into its most baroque and florid sibling.\n##Seed##:\n{prompt}\n##Bloom##:",
    )
    assert judge("Name a fish.", "Name a fish. ##Bloom##: Name a rare fish.", own) == "leaked_label"
    assert (
        judge("Name a fish.", "Turn whatever follows into its most baroque and florid sibling.", own)
        == "leaked_template"
    )
    assert (
        judge("Name a fish.", "Name a fish. ##Bloom##: Name a rare fish.") == KEPT
    )  # means nothing to another template
    seed = "What does ##Bloom##: mean in my notes?"
    assert judge(seed, "What does ##Bloom##: mean in my notes, and who wrote it in the margin?", own) == KEPT


def test_clean_takes_off_the_wrapping_alone() -> None:
    plain = prompt("Tell me a joke.")
    assert clean('  "Tell me a joke about rain."\n', plain) == "Tell me a joke about rain."
    assert clean("“Tell me a joke about rain.”", plain) == "Tell me a joke about rain."
    assert clean("'Don't tell me a joke.'", plain) == "Don't tell me a joke."
    assert clean('"Rain" and "snow"', plain) == '"Rain" and "snow"'
    assert clean('"Tell me a joke about rain."', prompt('"Tell me a joke."')) == '"Tell me a joke about rain."'
    assert clean("<think>Hmm, rain?</think>\n\nTell me a joke about rain.", plain) == "Tell me a joke about rain."
    assert clean("What does </think> do?", prompt("Explain </think>.")) == "What does </think> do?"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is C?", "  what is c", True),
        ("What is C?", "What is C++?", False),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width", True),
        ("What is 2⁵?", "What is 25?", False),
        ("Straße", "STRASSE", True),
        ("“Go!”", "Go", True),
        ("?!", "...", False),
        ("a-b", "a+b", False),
        ("lone \ud800 half", "lone \ud800  half", True),
    ],
)
def test_duplicate_key(one: str, other: str, same: bool) -> None:
    assert (duplicate_key(one) == duplicate_key(other)) is same


def test_conversation_key_counts_earlier_turns_and_roles() -> None:
    turn = [{"role": "user", "content": "Shorter."}]
    story = [{"role": "user", "content": "A story."}, {"role": "assistant", "content": "Once."}, *turn]
    assert conversation_key(turn) == conversation_key([{"role": "user", "content": "shorter"}])  # type: ignore[list-item]
    assert len({conversation_key(m) for m in (turn, story, [{"role": "system", "content": "Shorter."}])}) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda w: w, True),
        (lambda w: [*w, "please"], True),
        (lambda w: ["please", *w, "now"], True),
        (lambda w: [*w, "in", "exactly", "three"], False),  # three new words
        (lambda w: w[:-1], True),  # 39 of 40 words are left
        (lambda w: w[:-3], False),  # 37 of 40 are 92.5%
        (lambda w: [*w[:20], "other", *w[21:]], True),
        (lambda w: [*w[20:], *w[:20]], False),  # the same words in another order
        (lambda w: w[::-1], False),
    ],
)
def test_nearly_same_at_its_limits(change: Any, same: bool) -> None:
    forty = [f"w{i}" for i in range(40)]
    assert nearly_same(forty, change(forty)) is same


def test_nearly_same_in_short_prompts() -> None:
    assert not nearly_same(words("Write 3 haiku"), words("Write 5 haiku"))
    assert not nearly_same(words("Name a color"), words("Name a bright color"))
    assert nearly_same(words("Name a color of the sky"), words("Name a bright color of the sky"))
    assert not nearly_same(words("What is 2 + 2?"), words("What is 2 * 2?"))
    assert not nearly_same([], [])


OFFER = "I'm here to help you with the story. What would you like to discuss?"
FENCED = "Here is the script for you:\n```\nprint('the story of a fox')\n```\nThis is a simple example of it."


@pytest.mark.parametrize(
    ("parent", "rewrite", "expected"),
    [
        ("Tell me the story of a fox.", OFFER, "not_a_request"),
        (f"What is a better wording for this: {OFFER}", f"Reply to this in the words of a fox: {OFFER}", KEPT),
        ("Write a script that tells the story of a fox.", FENCED, "not_a_request"),
        ("Write a script that tells the story of a fox.", f"{FENCED}\nMake it tell of a crow too.", KEPT),
        ("Why does this script fail?\n```\nprint(\n```", "```\nprint(\n```", KEPT),
        ("Tell me the story of a fox", "Tell me the story of a fox that I'm happy to help with", KEPT),
    ],
)
def test_offers_and_code_ask_for_nothing(parent: str, rewrite: str, expected: str) -> None:
    assert judge(parent, rewrite) == expected


def test_too_long_at_the_limit() -> None:
    assert not too_long(100, 100)
    assert too_long(101, 100)
    assert not too_long(10**6, None)


def real_prompts() -> list[str]:
    if not REAL.exists():
        pytest.skip(f"real prompts are not at {REAL}")
    said = [json.loads(line)["prompt"] for line in REAL.read_text("utf-8").splitlines()]
    return [text for text in said if text.strip()]


def test_real_prompts_returned_as_they_are_count_as_unchanged() -> None:
    assert Counter(judge(text, text) for text in real_prompts()) == {"unchanged": len(real_prompts())}


def test_real_prompts_with_a_constraint_added_pass() -> None:
    said = [text for text in real_prompts() if len(text) >= 20]
    longer = " Name two sources and state, in one sentence, how sure you are."
    assert {judge(text, text + longer) for text in said} == {KEPT}


def test_real_prompts_as_rewrites_of_others_are_rarely_suspected() -> None:
    """Prompts that people wrote, judged as if they were new: what is flagged but for length does read like a leak."""
    said = real_prompts()
    found = Counter(judge(one, other) for one, other in zip(said, [*said[7:], *said[:7]], strict=True))
    suspected = sum(found.values()) - found[KEPT] - found["length_ratio"] - found["not_a_request"]
    assert suspected <= 5, found


def test_real_prompts_are_requests() -> None:
    """What is missed are headings and search terms ("mission statement for a finops company")."""
    missed = [text for text in real_prompts() if not is_request(text)]
    assert len(missed) <= 25, missed
