"""Servers that misbehave, on this machine: nothing is a traceback, nothing secret is told, nothing scored is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from generation.openai_client import ATTEMPTS, normalised_base_url
from prompts.errors import UserError
from prompts.reasons import is_owed
from rewards.grades import answer_of, grade_of
from rewards.models.judge import Judge
from rewards.protocol import Group, ScoringStopped
from rewards.server_judge import REFUSALS

pytest.importorskip("openai")

USER = [{"role": "user", "content": "Hello"}]
Reply = Callable[[dict[str, Any], int], tuple[int, Any]]
KEY = "very-secret-key"


def completion(content: Any, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content} | more}]
    }


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Reply], str]]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Reply) -> str:
        lock, asked = threading.Lock(), [0]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    asked[0] += 1
                    n = asked[0]
                status, answer = reply(body, n)
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(answer, str) else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Silence."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://user:passw0rd@127.0.0.1:{servers[-1].server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "bad",
    [{}, {"choices": []}, {"choices": [{}]}, {"choices": None}, [], None, "<html>\x1b[31mlogin</html>", completion(7)],
)
def test_no_completion_is_tried_again_and_then_quoted(serve: Callable[[Reply], str], bad: Any) -> None:
    passing = serve(lambda body, n: (200, bad if n == 1 else completion("Score: 7")))
    assert Judge("m", base_url=passing, longest_pause=0.01).score([Group(USER, ["a"])])[0][0].score == 7
    asked: list[int] = []
    lasting = serve(lambda body, n: (asked.append(n), (200, bad))[1])
    with pytest.raises(UserError, match="no chat completion") as told:
        Judge("m", base_url=lasting, longest_pause=0.01).score([Group(USER, ["a"])])
    assert len(asked) == ATTEMPTS
    assert "\x1b" not in str(told.value)
    assert "passw0rd" not in str(told.value)


def test_content_as_parts_and_reasoning_fields(serve: Callable[[Reply], str]) -> None:
    parts = serve(lambda body, n: (200, completion([{"type": "text", "text": "Score: 6"}])))
    assert Judge("m", base_url=parts).score([Group(USER, ["a"])])[0][0].score == 6
    thoughts = serve(lambda body, n: (200, completion(None, reasoning_content="so\nScore: 4")))
    assert Judge("m", base_url=thoughts).score([Group(USER, ["a"])])[0][0].score == 4
    nothing = serve(lambda body, n: (200, completion(None)))
    assert Judge("m", base_url=nothing).score([Group(USER, ["a"])])[0][0].error == "no_answer"


def test_all_refused_alike_stops_at_once_with_the_servers_words(serve: Callable[[Reply], str]) -> None:
    asked: list[int] = []
    words = f"no model of {KEY}"
    url = serve(lambda body, n: (asked.append(n), (400, {"error": {"message": words}}))[1])
    with pytest.raises(ScoringStopped, match="no model of") as told:
        Judge("m", base_url=url, concurrency=1).score([Group(USER, ["a"] * 50)])
    assert len(asked) == REFUSALS
    assert KEY not in str(told.value)
    assert all(is_owed(score.error) for score in told.value.scores[0])


@pytest.mark.parametrize("n", [1, REFUSALS - 1, 3 * REFUSALS])
def test_rows_refused_by_a_server_that_never_answered_are_owed(serve: Callable[[Reply], str], n: int) -> None:
    """Too few to stop the run, or in words that differ: the fault may be the server's all the same."""
    words = iter("abcdefghijklmnopqrstuvwxyz")
    url = serve(lambda body, n: (400, {"error": {"message": f"no {next(words) * 3}"}}))
    judge = Judge("m", base_url=url, concurrency=1)
    scores = judge.score([Group(USER, ["a"] * n), Group(USER, ["\ud800"])])
    assert {score.error for score in scores[0]} == {"all_refused"}
    assert is_owed("all_refused")
    assert scores[1][0].error == "bad_unicode"  # the row's own


def test_a_row_refused_by_a_server_that_answers_is_final(serve: Callable[[Reply], str]) -> None:
    url = serve(lambda body, n: (200, completion("Score: 5")) if n == 2 else (400, {"error": {"message": "no"}}))
    scores = Judge("m", base_url=url, concurrency=1).score([Group(USER, ["a", "b", "c"])])[0]
    assert [score.error for score in scores] == ["request_refused", "", "request_refused"]
    assert not is_owed("request_refused")


def test_what_was_scored_before_a_fatal_answer_is_kept(serve: Callable[[Reply], str]) -> None:
    url = serve(lambda body, n: (200, completion("Score: 9")) if n <= 3 else (401, {"error": {"message": "gone"}}))
    with pytest.raises(ScoringStopped, match="gone") as told:
        Judge("m", base_url=url, concurrency=1).score([Group(USER, ["a"] * 6)])
    assert [score.error for score in told.value.scores[0]] == [""] * 3 + ["server_failed"] * 3


def test_servers_that_want_max_completion_tokens(serve: Callable[[Reply], str]) -> None:
    def reply(body: dict[str, Any], n: int) -> tuple[int, Any]:
        if "max_tokens" in body:
            return 400, {"error": {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}}
        return 200, completion("Score: 5")

    assert Judge("m", base_url=serve(reply)).score([Group(USER, ["a", "b"])])[0][1].score == 5


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "words",
    [
        "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) is supported.",
        "invalid temperature: only 1 is allowed for this model",
        "Extra inputs are not permitted: temperature",
        "Unknown parameter: temperature.",
    ],
)
def test_a_server_that_takes_no_temperature_is_asked_without_it_and_that_is_said_once(
    serve: Callable[[Reply], str], status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[bool] = []

    def reply(body: dict[str, Any], n: int) -> tuple[int, Any]:
        asked.append("temperature" in body)
        return (status, {"error": {"message": words}}) if asked[-1] else (200, completion("Score: 5"))

    judge = Judge("m", base_url=serve(reply), concurrency=3)
    for _ in range(2):
        assert [score.score for score in judge.score([Group(USER, ["a"] * 6)])[0]] == [5] * 6
    assert sum(asked) <= 3  # those that were on their way together
    assert asked.count(False) == 12
    assert caplog.text.count("takes no temperature") == 1


def test_a_refusal_for_another_cause_is_none_of_the_temperature(serve: Callable[[Reply], str]) -> None:
    asked: list[dict[str, Any]] = []
    url = serve(lambda body, n: (asked.append(body), (400, {"error": {"message": "The text is too long."}}))[1])
    Judge("m", base_url=url).score([Group(USER, ["a"])])
    assert [body["temperature"] for body in asked] == [0.0]


@pytest.mark.parametrize("head", [True, False], ids=["a body without end", "headers without end"])
def test_a_server_that_trickles_ends_by_the_deadline(monkeypatch: pytest.MonkeyPatch, head: bool) -> None:
    """A byte now and then keeps a connection alive, and must not keep a request."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Type: application/json\r\n\r\n" if head else b""))
            with suppress(OSError):
                while not over.wait(0.02):
                    self.wfile.write(b" " if head else b"X-More: 1\r\n")

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begun = time.monotonic()
    try:
        judge = Judge("m", base_url=f"http://127.0.0.1:{server.server_port}/v1", deadline=0.3, longest_pause=0.01)
        with pytest.raises(UserError, match="no answer within"):
            judge.score([Group(USER, ["a"])])
        assert time.monotonic() - begun < 0.3 * ATTEMPTS + 20
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_a_hanging_server_ends_by_the_deadline(serve: Callable[[Reply], str]) -> None:
    url = serve(lambda body, n: (time.sleep(1), (200, completion("Score: 5")))[1])
    with pytest.raises(UserError, match="no answer within"):
        Judge("m", base_url=url, deadline=0.05, longest_pause=0.01).score([Group(USER, ["a"])])


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Score: 7,5", 7.5),
        ("Ｓｃｏｒｅ：８．５", 8.5),
        ("Good.\n**Score:** 7/10", 7.0),
        ("I'd give it a score of 6 out of 10.", 6.0),
        ('{"score": 9}', 9.0),
        ("Score (1-10): 3", 3.0),
        ("Score: 2\nScore: 4", 4.0),
        ("Score: -5", None),
        ("Score: −5", None),
        ("Score: 4\nScore: -5", None),
        ("Score: 7-8", None),
        ("Score: 7/5", None),
        ("Score: 1,000", None),
        ("Score: 11", None),
        ("Score: none", None),
        ("", None),
    ],
)
def test_the_rule_for_grades(text: str, grade: float | None) -> None:
    assert grade_of(text) == grade


def test_reading_a_grade_is_linear() -> None:
    started = time.monotonic()
    for text in ("\n" * 60_000, "Score" + "\n" * 60_000, "score(" * 60_000, "Score: " * 60_000, "9" * 60_000):
        grade_of(text)
    assert time.monotonic() - started < 5


def test_thoughts_are_no_answer_unless_they_came_to_an_end() -> None:
    assert answer_of("<think>Score: 2</think>Score: 8", "", "stop") == "Score: 8"
    assert answer_of("<think>Score: 2", "", "length") is None
    assert answer_of("", "Score: 2", "length") is None


def test_one_address_of_a_server() -> None:
    for same in ("http://u:p@LocalHost:80/v1/", "http://localhost/v1", " http://localhost:80/v1//?api-key=x"):
        assert normalised_base_url(same) == "http://localhost/v1"
    for bad in ("nonsense", "ftp://a/b", "http://a:b/v1", "http://[::1/v1"):
        with pytest.raises(UserError, match="address"):
            normalised_base_url(bad)
