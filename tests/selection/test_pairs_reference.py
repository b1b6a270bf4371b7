"""The pair rules, which work on many prompts at once, against a plain one that takes a prompt at a time: the same pairs
and the same reasons, to the last prompt.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest

from prompts import content_id
from selection.pairs import RULES, Candidates, Guard, pair

NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class One:
    """A response, as a person would write it down."""

    score: float
    n_tokens: int
    finished: bool
    text: int
    blank: bool


def plain_pair(
    rule: str, responses: list[One], prompt_id: str, allow_cut_off: bool, margin: float, guard: str
) -> tuple[int, int] | str:
    """The rules as one would explain them: lists, loops, no array."""
    scored = [i for i, one in enumerate(responses) if one.score == one.score]
    usable = scored if guard == "paper" else [i for i in scored if not responses[i].blank]
    if len(usable) < 2:
        return "too_few_responses"
    if guard == "paper":
        chosen = max(usable, key=lambda i: responses[i].score)  # the first of equals
        others = usable if rule == "max_min" else [i for i in usable if i != chosen]
        others = [i for i in others if not margin or responses[chosen].score - responses[i].score >= margin]
        return (chosen, plain_rejected(rule, responses, chosen, others, prompt_id)) if others else "below_margin"
    may_be_chosen = [i for i in usable if responses[i].finished or allow_cut_off]
    if not may_be_chosen:
        return "cut_off"
    chosen = max(may_be_chosen, key=lambda i: responses[i].score)
    best = responses[chosen]
    others = [i for i in usable if responses[i].text != best.text]
    if not others:
        return "identical"
    lower = [i for i in others if best.score - responses[i].score > 0]
    if not lower:
        return "tie" if any(responses[i].score == best.score != INF for i in others) else "cut_off"
    enough = [i for i in lower if best.score - responses[i].score >= margin]
    return (chosen, plain_rejected(rule, responses, chosen, enough, prompt_id)) if enough else "below_margin"


def plain_rejected(rule: str, responses: list[One], chosen: int, others: list[int], prompt_id: str) -> int:
    if rule == "max_random":
        return others[int(content_id("max_random", prompt_id), 16) % len(others)]
    if rule == "mu_minus_2sigma":
        known = np.array([one.score for one in responses if one.score == one.score])
        target = known.mean() - 2 * known.std()
        return min(others, key=lambda i: abs(responses[i].score - target))
    if rule == "length_matched":
        length = responses[chosen].n_tokens
        return min(others, key=lambda i: (abs(responses[i].n_tokens - length), responses[i].score))
    assert rule == "max_min"
    return min(others, key=lambda i: responses[i].score)


def random_responses(rng: np.random.Generator, most: int) -> list[One]:
    """Up to `most` responses: few or many different scores, texts and lengths, so that ties of all kinds are common."""
    levels, n_texts = int(rng.choice([1, 2, 4, 50])), int(rng.choice([1, 2, 3, 100]))
    shares = rng.choice([0.0, 0.2, 0.6], 3)  # unscored, cut off, blank
    made = []
    for _ in range(int(rng.integers(0, most + 1))):
        score = float(rng.integers(0, levels) / 2 - 1) if levels < 50 else float(rng.normal())
        made.append(
            One(
                score=NAN if rng.random() < shares[0] else score,
                n_tokens=int(rng.choice([1, 5, 6, 7, 400])),
                finished=rng.random() >= shares[1],
                text=int(rng.integers(0, n_texts)),
                blank=rng.random() < shares[2],
            )
        )
    return made


def as_arrays(groups: list[list[One]]) -> Candidates:
    """One row a prompt; where a prompt has fewer responses than another, unscored ones."""
    width = max(map(len, groups), default=0)
    absent = One(NAN, 0, True, 0, False)
    rows = [[*group, *[absent] * (width - len(group))] for group in groups]

    def field(name: str, kind: type) -> np.ndarray:
        return np.array([[getattr(one, name) for one in row] for row in rows], kind).reshape(len(rows), width)

    return Candidates(
        scores=field("score", float),
        n_tokens=field("n_tokens", np.int32),
        finished=field("finished", bool),
        text_keys=field("text", np.int64),
        blank=field("blank", bool),
    )


def assert_as_plain(rule: str, groups: list[list[One]], how: dict[str, object]) -> Counter[str]:
    """Compare all groups; returns how often each outcome came."""
    ids = [content_id("prompt", i) for i in range(len(groups))]
    picks = pair(rule, as_arrays(groups), prompt_ids=ids, **how)  # type: ignore[arg-type]
    found = zip(picks.chosen.tolist(), picks.rejected.tolist(), picks.reasons.tolist(), strict=True)
    outcomes: Counter[str] = Counter()
    for (w, l, reason), group, prompt_id in zip(found, groups, ids, strict=True):  # noqa: E741
        expected = plain_pair(rule, group, prompt_id, **how)  # type: ignore[arg-type]
        assert (reason or (w, l)) == expected, (rule, how, group)
        assert (w, l) == (-1, -1) or not reason
        outcomes[reason or "pair"] += 1
    return outcomes


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("guard", get_args(Guard))
def test_many_prompts_at_once_are_as_each_alone(rule: str, guard: str) -> None:
    """Every rule and guard, all margins, both ways with cut-off winners; 400 sets of groups of up to 20 responses."""
    rng = np.random.default_rng([list(RULES).index(rule), get_args(Guard).index(guard)])
    outcomes: Counter[str] = Counter()
    settings = itertools.cycle(itertools.product([0.0, 0.5, 1.0, 3.0], [False, True]))
    for margin, allow_cut_off in itertools.islice(settings, 400):
        groups = [random_responses(rng, int(rng.choice([2, 5, 5, 20]))) for _ in range(int(rng.integers(0, 24)))]
        how = {"margin": margin, "allow_cut_off": allow_cut_off, "guard": guard}
        outcomes += assert_as_plain(rule, groups, how)
    rare = {"too_few_responses", "below_margin", "pair"}
    assert set(outcomes) == (rare if guard == "paper" else rare | {"cut_off", "identical", "tie"})
    assert min(outcomes.values()) > 40


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("guard", get_args(Guard))
@pytest.mark.filterwarnings("ignore:invalid value")
def test_scores_without_end_pick_no_response_that_takes_no_part(rule: str, guard: str) -> None:
    """A combination of models may give inf. Such pairs leave later (not_finite); the pick must be of those allowed."""
    rng = np.random.default_rng(7)
    groups = []
    for _ in range(2_000):
        values = rng.choice([NAN, -INF, INF, 0.0, 1.0], int(rng.integers(0, 6)))
        marks = rng.random((2, len(values))) < 0.3
        groups.append(
            [
                One(float(score), 3, not cut, int(rng.integers(0, 3)), bool(blank))
                for score, cut, blank in zip(values, *marks, strict=True)
            ]
        )
    ids = [str(i) for i in range(len(groups))]
    picks = pair(rule, as_arrays(groups), prompt_ids=ids, guard=guard)  # type: ignore[arg-type]
    n_pairs = 0
    for group, w, l in zip(groups, picks.chosen, picks.rejected, strict=True):  # noqa: E741
        if w < 0:
            continue
        n_pairs += 1
        assert not np.isnan([group[w].score, group[l].score]).any()
        if guard == "degenerate":
            assert group[w].finished
            assert not group[w].blank
            assert not group[l].blank
            assert group[w].text != group[l].text
            assert group[w].score > group[l].score
    assert n_pairs > 200


def test_means_and_deviations_are_rounded_as_those_of_one_prompt_alone() -> None:
    """Two scores lie to both sides of mean - 2 sigma, equally far but for rounding: a sum in another order picks the
    other one.
    """
    rng = np.random.default_rng(3)
    groups = []
    for n in np.repeat(np.arange(12, 60), 20):
        high, low = rng.normal(10, 1, n), 0.0
        for _ in range(200):  # until mean - 2 sigma of all is `low`, of which both lows are 0.1 away
            scores = np.array([*high, low - 0.1, low + 0.1])
            low = scores.mean() - 2 * scores.std()
        scores = np.array([*scores, *[NAN] * int(rng.integers(0, 4))])
        groups.append([One(float(score), 1, True, i, False) for i, score in enumerate(rng.permutation(scores))])
    outcomes = assert_as_plain(
        "mu_minus_2sigma", groups, {"margin": 0.0, "allow_cut_off": False, "guard": "degenerate"}
    )
    assert outcomes["pair"] == len(groups)


def test_no_prompt_gives_no_pick() -> None:
    for groups in ([], [[], []]):
        picks = pair("max_min", as_arrays(groups), prompt_ids=[str(i) for i in range(len(groups))])
        assert picks.reasons.tolist() == ["too_few_responses"] * len(groups)
