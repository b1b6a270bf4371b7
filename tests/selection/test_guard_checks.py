"""The guard's checks, each by itself: what it turns away, and what it leaves."""

from __future__ import annotations

import pytest

from one_prompt import candidates, pair
from selection.guard import PICKING, PRESETS, READING, checks_of, refused, same_after_truncation
from selection.pairs import Candidates


def made(group: Candidates, *checks: str) -> tuple[int, int] | str:
    return pair("max_min", group, prompt_id="p", guard=checks)


@pytest.mark.parametrize(
    ("check", "group", "without", "with_it"),
    [
        ("empty", candidates([0.9, 0.5, 0.1], blank="  x"), (0, 2), (0, 1)),
        ("empty", candidates([0.9, 0.1], blank=" x"), (0, 1), "too_few_responses"),
        ("cut_off", candidates([0.9, 0.5, 0.1], cut="x"), (0, 2), (1, 2)),
        ("cut_off", candidates([0.9, 0.1], cut="x"), (0, 1), "cut_off"),
        ("identical", candidates([0.9, 0.5, 0.1], texts="aba"), (0, 2), (0, 1)),
        ("identical", candidates([0.9, 0.1], texts="aa"), (0, 1), "identical"),
        ("tie", candidates([0.5, 0.5]), (0, 0), "tie"),
    ],
)
def test_each_check_does_its_own_work(
    check: str, group: Candidates, without: tuple[int, int], with_it: tuple[int, int] | str
) -> None:
    assert made(group) == without
    assert made(group, check) == with_it
    assert made(group, *PICKING) == with_it


def test_without_the_check_for_ties_a_tie_of_two_texts_is_a_pair() -> None:
    assert made(candidates([0.5, 0.5]), "identical") == (0, 1)
    assert made(candidates([0.5, 0.5, 0.5], texts="aab"), "identical") == (0, 2)
    assert made(candidates([0.5, 0.5], cut="x"), "cut_off") == (1, 0)
    assert made(candidates([0.9, 0.5], cut="x"), "cut_off", "tie") == "cut_off"


def test_the_presets() -> None:
    assert PRESETS["paper"] == frozenset()
    assert PRESETS["degenerate"] == PICKING | {"near_identical"}
    assert PRESETS["strict"] == PICKING | READING
    assert checks_of("strict") == PRESETS["strict"]
    assert checks_of(["tie"]) == {"tie"}


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that request.",
        "I’m sorry, but I cannot provide instructions for that.",
        "As an AI language model, I don't have personal opinions.",
        "Sorry, I can't assist with that.",
        "I cannot fulfill your request. It is against my guidelines.",
        "很抱歉，我无法回答这个问题。",
    ],
)
def test_a_chosen_response_that_declines(text: str) -> None:
    assert refused(text)
    assert refused("  **" + text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that your dog is ill. Here is what you can do.",
        "Sorry, I can't complete my form because the button is missing. How do I fix it?",
        "You can't help with that unless you have a licence, so ask a plumber.",
        "The letter could say: I'm sorry, but I can't help with that request.",
        "",
    ],
)
def test_an_answer_that_does_not_decline(text: str) -> None:
    assert not refused(text)


def test_equal_after_truncation_by_token_ids() -> None:
    long, other = "same " * 10 + "end", "same " * 10 + "other end"
    ids = ([1] * 10 + [2], [1] * 10 + [3, 2])
    assert same_after_truncation(long, other, (11, 12), 10, ids)
    assert not same_after_truncation(long, other, (11, 12), 11, ids)
    assert not same_after_truncation(long, other, (11, 12), 12, ids)


def test_equal_after_truncation_estimated_from_the_text() -> None:
    """Both begin with 100 equal characters of 200, so with half of their 50 tokens."""
    one, other = "a" * 100 + "b" * 100, "a" * 100 + "c" * 100
    assert same_after_truncation(one, other, (50, 50), 25)
    assert not same_after_truncation(one, other, (50, 50), 26)
    assert not same_after_truncation(one, other, (50, 50), 60)  # neither is cut
    assert not same_after_truncation(one, one[:100], (50, 25), 30)  # the shorter one ends before the cut
    assert same_after_truncation(one, one[:100], (50, 25), 25)
    assert same_after_truncation("", "", (0, 0), 1)
