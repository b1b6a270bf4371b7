"""Pair rules on cases worked by hand, one prompt each; test_pairs_reference.py has many prompts at once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from one_prompt import candidates, pair
from prompts.errors import UserError
from selection.pairs import RULES, Candidates

NAN = float("nan")

WITHOUT_PAIR = ("too_few_responses", "cut_off", "identical", "tie", "below_margin")


def test_max_min_takes_best_and_worst() -> None:
    assert pair("max_min", candidates([0.3, 0.9, 0.1, 0.5, 0.2]), prompt_id="p") == (1, 2)


def test_first_of_equals_wins() -> None:
    assert pair("max_min", candidates([0.1, 0.9, 0.9, 0.1]), prompt_id="p") == (1, 0)


def test_max_random_is_drawn_by_the_prompts_name_with_equal_chance() -> None:
    group = candidates([0.3, 0.9, 0.1, 0.9, 0.2])
    drawn = Counter(pair("max_random", group, prompt_id=f"prompt {i}") for i in range(3000))
    assert set(drawn) == {(1, 0), (1, 2), (1, 4)}
    assert all(abs(count - 1000) < 5 * (3000 * 1 / 3 * 2 / 3) ** 0.5 for count in drawn.values())
    assert pair("max_random", group, prompt_id="a") == pair("max_random", group, prompt_id="a")


def test_mu_minus_2sigma() -> None:
    """Scores -10, 0 x7, 1, -4: mean -1.3, variance 11.7 - 1.69 = 10.01, target -1.3 - 6.33 = -7.63: nearest -10.
    With -8.5, -6: mean -1.35, variance 10.925 - 1.8225 = 9.1025, target -7.38: -8.5 (1.12) is nearer than -6 (1.38).
    With -16, -12: mean -2.7, variance 40.1 - 7.29 = 32.81, target -14.16: -16 (1.84) is nearer than -12 (2.16)."""
    for low, next_low in ((-10, -4), (-8.5, -6), (-16, -12)):
        assert pair("mu_minus_2sigma", candidates([low, *[0] * 7, 1, next_low]), prompt_id="p") == (8, 0)


def test_mu_minus_2sigma_is_not_the_minimum_when_many_are_low() -> None:
    """Scores 10 x8, 0 and -20: mean 6, variance (800 + 400) / 10 - 36 = 84, target 6 - 18.33 = -12.33: nearest -20.
    Scores 10 x18, -4 and -40: mean 6.8, variance (1800 + 16 + 1600) / 20 - 46.24 = 124.56, target 6.8 - 22.32 = -15.52:
    nearest -4 (11.52), not -40 (24.48)."""
    assert pair("mu_minus_2sigma", candidates([*[10] * 8, 0, -20]), prompt_id="p") == (0, 9)
    group = candidates([*[10] * 18, -4, -40])
    assert pair("mu_minus_2sigma", group, prompt_id="p") == (0, 18)
    assert pair("max_min", group, prompt_id="p") == (0, 19)


def test_length_matched_takes_the_nearest_length_then_the_lowest_score() -> None:
    group = candidates([0.9, 0.1, 0.5, 0.4, 0.3], tokens=[100, 10, 90, 110, 130])
    assert pair("length_matched", group, prompt_id="p") == (0, 3)
    assert pair("length_matched", group, prompt_id="p", margin=0.6) == (0, 4)


def test_a_margin_is_at_least() -> None:
    group = candidates([0.25, 1.0, 0.5])
    assert pair("max_min", group, prompt_id="p", margin=0.75) == (1, 0)
    assert pair("max_min", group, prompt_id="p", margin=0.76) == "below_margin"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (candidates([]), "too_few_responses"),
        (candidates([0.4]), "too_few_responses"),
        (candidates([0.4, NAN, NAN]), "too_few_responses"),
        (candidates([0.4, 0.2, 0.3], blank="xx"), "too_few_responses"),
        (candidates([0.4, 0.4, 0.4]), "tie"),
        (candidates([0.4, 0.2, 0.3], texts="aaa"), "identical"),
        (candidates([0.4, 0.4, 0.2], texts="aba"), "tie"),
        (candidates([0.4, 0.2], cut="xx"), "cut_off"),
        (candidates([0.4, 0.2], cut="x"), "cut_off"),
        (candidates([0.4, 0.2], cut=" x"), (0, 1)),
        (candidates([NAN, 0.4, NAN, 0.2]), (1, 3)),
        (candidates([0.9, 0.4, 0.2], cut="x"), (1, 2)),
        (candidates([0.9, 0.4, 0.2], blank="x"), (1, 2)),
        (candidates([0.9, 0.4, 0.1], texts="aba"), (0, 1)),
        (candidates([-0.2, -0.4]), (0, 1)),
    ],
)
def test_degenerate_groups_give_a_reason_or_the_only_sound_pair(
    rule: str, group: Candidates, expected: tuple[int, int] | str
) -> None:
    assert pair(rule, group, prompt_id="p") == expected
    assert isinstance(expected, tuple) or expected in WITHOUT_PAIR


def test_cut_off_responses_may_be_chosen_if_allowed() -> None:
    assert pair("max_min", candidates([0.9, 0.4, 0.2], cut="x"), prompt_id="p", allow_cut_off=True) == (0, 2)


def test_the_papers_guard_takes_every_scored_response() -> None:
    """Ties, equal texts, blanks and cut-off responses make a pair: argmax and argmin, whatever they are."""
    group = candidates([NAN, 0.4, 0.9, 0.2, 0.2], cut="  x", texts="aaaaa", blank="  xx")
    assert pair("max_min", group, prompt_id="p", guard="paper") == (2, 3)
    assert pair("max_min", group, prompt_id="p", guard="paper", margin=0.7) == (2, 3)
    assert pair("max_min", group, prompt_id="p", guard="paper", margin=0.71) == "below_margin"  # asked for, not a guard
    assert pair("max_min", candidates([0.5, 0.5]), prompt_id="p", guard="paper") == (0, 0)
    assert pair("max_random", candidates([0.5, 0.5]), prompt_id="p", guard="paper") == (0, 1)
    assert pair("max_min", candidates([0.5, NAN]), prompt_id="p", guard="paper") == "too_few_responses"


def test_pairs_of_random_groups_are_sound() -> None:
    """Whatever the group: the best that may be chosen, and a worse one of another text."""
    generator = np.random.default_rng(0)
    outcomes: Counter[str] = Counter()
    for i in range(3000):
        n = int(generator.integers(0, 8))
        scores = np.where(generator.random(n) < 0.2, np.nan, generator.integers(0, 4, n) / 2)
        marks = ["".join(generator.choice(list("x  "), n)) for _ in range(2)]
        group = candidates(
            scores.tolist(), texts="".join(generator.choice(list("abcd"), n)), cut=marks[0], blank=marks[1]
        )
        rule = list(RULES)[i % len(RULES)]
        found = pair(rule, group, prompt_id=str(i), margin=(i % 3) / 2)
        outcomes[found if isinstance(found, str) else "pair"] += 1
        if isinstance(found, tuple):
            w, l = found  # noqa: E741
            usable = [k for k in range(n) if not np.isnan(scores[k]) and not group.blank[0, k]]
            assert {w, l} <= set(usable)
            assert scores[w] == max(scores[k] for k in usable if group.finished[0, k])
            assert scores[w] - scores[l] >= max((i % 3) / 2, 0.5)
            assert group.text_keys[0, w] != group.text_keys[0, l]
    assert set(outcomes) == {*WITHOUT_PAIR, "pair"}


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(UserError, match="best_worst"):
        pair("best_worst", candidates([1, 2]), prompt_id="p")
