"""The judge that compares, against a server of its protocol on this machine."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

import rewards
from evolve.recipe.identity import rewards_of
from fake_runs import fake_recipe, prompt, write_source
from judge_server import Reply, Server
from prompts.errors import UserError
from rewards.models.pair_judge import PairJudge, ranking_of
from rewards.protocol import Group, RewardModel, ScoringStopped

pytest.importorskip("openai")

USER = [{"role": "user", "content": "What is {first}?"}]
Serve = Callable[[Callable[[str, int], Reply]], Server]


def answers(text: str) -> tuple[str, str]:
    return tuple(re.findall(r"<answer-\d>\n(.*?)\n</answer-\d>", text, re.DOTALL))  # type: ignore[return-value]


def by_length(text: str, _: int) -> Reply:
    """The longer is better, by up to three steps; and who comes first gets a step more where there is room."""
    first, second = (len(one) for one in answers(text))
    step = max(1, min(3, abs(first - second)))
    ranking = 4 - step if first >= second else 3 + step
    return 200, f"Ranking: 6 would be too much.\n**Ranking:** {max(1, ranking - 1)}"


def test_scores_are_the_means_of_both_orders(serve: Serve) -> None:
    server = serve(by_length)
    model = PairJudge("m")
    assert isinstance(model, RewardModel)
    texts = ["x", "xxxx", "xx {first}"]
    (scores,) = model.score([Group(USER, texts)])
    assert len(server.requests) == 6
    v = {(i, j): int(by_length_of(texts[i], texts[j])) for i in range(3) for j in range(3) if i != j}
    for i, score in enumerate(scores):
        expected = sum((v[j, i] - v[i, j]) / 5 for j in range(3) if j != i) / 2
        assert score.score == pytest.approx(expected)
    assert sum(score.score for score in scores) == pytest.approx(0)
    assert scores[2].score > scores[1].score > scores[0].score


def by_length_of(first: str, second: str) -> str:
    return by_length(f"<answer-1>\n{first}\n</answer-1>\n<answer-2>\n{second}\n</answer-2>", 0)[1][-1]


def test_a_liking_for_a_place_cancels(serve: Serve) -> None:
    serve(lambda text, n: (200, "Ranking: 1"))
    assert [score.score for score in PairJudge("m").score([Group(USER, ["a", "b", "c"])])[0]] == [0, 0, 0]


def test_what_was_not_answered_in_both_orders_is_not_compared(serve: Serve) -> None:
    serve(lambda text, n: (200, "I can't tell." if answers(text) == ("a", "b") else "Ranking: 5"))
    scores = PairJudge("m").score([Group(USER, ["a", "b", "c"]), Group(USER, ["alone"]), Group(USER, ["a", "b"])])
    assert [score.score for score in scores[0]] == [0, 0, 0]  # a with c, b with c
    assert [score.error for score in scores[1]] == ["no_comparison"]
    assert [score.error for score in scores[2]] == ["no_score", "no_score"]
    assert all(math.isnan(score.score) for score in scores[2])


def test_a_group_that_was_not_asked_to_the_end_is_owed(serve: Serve) -> None:
    serve(lambda text, n: (200, "Ranking: 2") if n <= 3 else (401, "no key"))
    with pytest.raises(ScoringStopped) as stopped:
        PairJudge("m", concurrency=1).score([Group(USER, ["a", "b"]), Group(USER, ["c", "d"])])
    assert [[score.error for score in row] for row in stopped.value.scores] == [["", ""], ["server_failed"] * 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ranking: 3", 3),
        ("**Ranking**: 6.", 6),
        ("ranking = 1\nRanking: 4", 4),
        ("\uff32anking\uff1a 5", 5),
        ("Ranking: 7", None),
        ("Ranking: 0", None),
        ("Ranking: -2", None),
        ("Ranking: 3.5", None),
        ("Ranking: 3/6", None),
        ("Answer 1 is better.", None),
        ("Ranking: 2nd", None),
    ],
)
def test_rankings(text: str, expected: int | None) -> None:
    assert ranking_of(text) == expected


def test_a_recipe_names_it_and_n_is_part_of_what_a_row_is(tmp_path, serve: Serve) -> None:
    server = serve(by_length)
    write_source(tmp_path / "x.jsonl", [prompt(0)])
    how = {"reward__model": "pairs:m", "reward__base_url": server.url}
    ids = {rewards_of(fake_recipe(tmp_path / "x.jsonl", sampling__n=n, **how))[0].id for n in (3, 4)}
    assert len(ids) == 2
    model = rewards.load("pairs:m", base_url=server.url)
    assert (model.kind, model.comparable_across_prompts) == ("pairwise", False)
    assert rewards.trust_check(model, [Group(USER, ["a", "b"])]) == 0
    assert not server.requests  # nothing to check it against: nothing is asked
    with pytest.raises(UserError, match="\\{second\\} must occur once"):
        PairJudge("m", template="{prompt} {first}")
