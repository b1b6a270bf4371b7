"""The judge of two responses: what it is sent, and how its verdict is read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from judge_server import Server
from prompts.errors import UserError
from rewards.preference_judge import Comparison, Judgement, JudgingStopped, PreferenceJudge, verdict_of

pytest.importorskip("openai")

USER = [{"role": "user", "content": "Which {second}?"}]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    def reply(text: str, _: int) -> tuple[int, str]:
        if "refuse" in text:
            return 400, "no such thing"
        first = text.split("<answer_a>\n")[1].split("\n</answer_a>")[0]
        second = text.split("<answer_b>\n")[1].split("\n</answer_b>")[0]
        if "babble" in first:
            return 200, "Both have their merits."
        better = "A" if len(first) > len(second) else "B" if len(second) > len(first) else "tie"
        return 200, f"Verdict: B would be odd.\n**Verdict:** {better}"

    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    server = Server(reply)
    yield server
    server.close()


def test_verdicts_come_back_in_order(server: Server) -> None:
    judge = PreferenceJudge("m", base_url=server.url)
    asked = [("aa", "b"), ("a", "bb"), ("a", "b"), ("babble", "b"), ("refuse", "b")]
    found = judge.judge([Comparison(USER, *one) for one in asked])
    assert found == [
        Judgement("first"),
        Judgement("second"),
        Judgement("tie"),
        Judgement(error="no_verdict"),
        Judgement(error="request_refused"),
    ]


def test_texts_are_pasted_as_they_are(server: Server) -> None:
    PreferenceJudge("m", base_url=server.url).judge([Comparison(USER, "{prompt} {first}", "{second} {0}")])
    (text,) = server.texts
    assert "user: Which {second}?" in text
    assert "<answer_a>\n{prompt} {first}\n</answer_a>" in text
    assert "<answer_b>\n{second} {0}\n</answer_b>" in text


@pytest.mark.parametrize("template", ["{prompt} {first}", "{prompt} {first} {first} {second}", ""])
def test_a_template_has_each_placeholder_once(template: str) -> None:
    with pytest.raises(UserError, match="must occur once"):
        PreferenceJudge("m", template=template)


def test_what_was_said_before_a_server_failed_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    server = Server(lambda _, n: (200, "Verdict: A") if n <= 2 else (401, "your key ran out"))
    judge = PreferenceJudge("m", base_url=server.url, concurrency=1)
    with pytest.raises(JudgingStopped, match="your key ran out") as stopped:
        judge.judge([Comparison(USER, "a", "b")] * 4)
    assert stopped.value.judgements == [Judgement("first")] * 2 + [Judgement(error="server_failed")] * 2
    server.close()


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Verdict: A", "first"),
        ("verdict = b.", "second"),
        ("The verdict is: tie", None),  # "is" and a colon are one word too many
        ("My verdict is tie", "tie"),
        ("**Verdict**: [[B]]", "second"),
        ("Verdict: <A>", "first"),
        ("Verdict: Answer A", "first"),
        ("Ｖｅｒｄｉｃｔ：Ｂ", "second"),
        ("Verdict: A\nOn reflection\nVerdict: B", "second"),
        ("Verdict: both", None),
        ("Verdict: a tie", "tie"),
        ("Verdict: A, because B is wrong", "first"),
        ("Verdict: <A, B or tie>", None),  # the question said again
        ("Verdict: A and B", None),
        ("Verdict: Absolutely the first", None),
        ("A", None),
        ("", None),
    ],
)
def test_verdicts_are_read_by_the_rule(text: str, verdict: str | None) -> None:
    assert verdict_of(text) == verdict


@pytest.mark.timeout(20)
def test_reading_is_linear() -> None:
    for text in ("verdict" + " " * 200_000, "verdict: " * 100_000, "verdict:" + "*" * 200_000 + "A"):
        verdict_of(text)
