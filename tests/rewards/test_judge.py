"""The judge against a server of its protocol on this machine: what is sent, what is read, what is tried again."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import rewards
from generation.openai_client import ATTEMPTS
from judge_server import Reply, Server
from prompts.errors import UserError
from rewards.models.judge import Judge
from rewards.protocol import Group

pytest.importorskip("openai")

USER = [{"role": "user", "content": "What is {response}?"}]


def grade(text: str, _: int) -> Reply:
    """The number of the letter x in the answer to grade."""
    answer = text.split("<answer>\n")[1].split("\n</answer>")[0]
    return 200, f"Score: 3 would be harsh.\nIt has some x.\n**Score:** {answer.count('x')}"


def test_grades_come_back_in_order(serve: Callable[..., Server]) -> None:
    server = serve(grade)
    model = rewards.load("openai:some-judge")
    groups = [Group(USER, ["x" * n for n in (3, 1, 9)]), Group(USER, []), Group(USER, ["xx", "", "x" * 11])]
    scores = model.score(groups)
    assert [[score.score for score in row] for row in scores[:2]] == [[3.0, 1.0, 9.0], []]
    assert [score.error for score in scores[2]] == ["", "no_score", "no_score"]
    assert math.isnan(scores[2][1].score)
    assert {request["model"] for request in server.requests} == {"some-judge"}
    assert model.kind == "judge"


def test_texts_are_pasted_as_they_are(serve: Callable[..., Server]) -> None:
    """Placeholders and braces inside a prompt or response stay what they are."""
    server = serve(grade)
    rewards.load("openai:m").score([Group(USER, ["{prompt} x {0} {{}}"])])
    sent = server.texts[0]
    assert "user: What is {response}?" in sent
    assert "<answer>\n{prompt} x {0} {{}}\n</answer>" in sent


def test_passing_failures_are_tried_again(serve: Callable[..., Server]) -> None:
    server = serve(lambda text, n: (429, "slow down") if n == 1 else (503, "busy") if n == 2 else grade(text, n))
    assert Judge("m", longest_pause=0.01).score([Group(USER, ["xx"])])[0][0].score == 2.0
    assert len(server.requests) == 3


def test_a_server_that_stays_down_ends_the_run(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (500, "broken"))
    with pytest.raises(UserError, match="broken"):
        Judge("m", longest_pause=0.01).score([Group(USER, ["x"])])
    assert len(server.requests) == ATTEMPTS


def test_a_refused_request_is_one_row(serve: Callable[..., Server]) -> None:
    serve(lambda text, n: (400, "too long") if "xxxx" in text else grade(text, n))
    scores = Judge("m").score([Group(USER, ["x", "xxxx", "xx"])])[0]
    assert [score.error for score in scores] == ["", "request_refused", ""]


def test_a_refused_key_is_said_at_once(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (401, "no such key"))
    with pytest.raises(UserError, match="no such key"):
        Judge("m").score([Group(USER, ["x"])])
    assert len(server.requests) == 1


def test_no_key_and_bad_templates_are_user_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"\{response\} must occur once"):
        Judge("m", template="{prompt}")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        rewards.load("openai:m")
