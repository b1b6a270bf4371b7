"""A policy behind servers: what they do wrong changes no completion, and what they can not do is found out."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from completions_server import NAME, CompletionsServer, Fault, Faults, Table
from generation import Completion, EngineFailed, Request, RequestDeadly, RequestRefused
from generation.conversation import ChatTokenizer
from generation.engines.server import ServerEngine
from generation.hosts import PATIENCE
from generation.openai_client import ATTEMPTS, ServerFailed
from generation.tries import LONGEST_TOLD, retry_after
from prompts.errors import UserError
from tiny_policy import policy

PROBES = 6  # requests that look at a server, before the first that is work
Serve = Callable[..., CompletionsServer]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    return ChatTokenizer(policy(tmp_path_factory.mktemp("policy")))


@pytest.fixture
def serve(tokenizer: ChatTokenizer) -> Iterator[Serve]:
    servers: list[CompletionsServer] = []

    def start(fault: Faults = lambda body, number: None, *ways: str, name: str = NAME) -> CompletionsServer:
        servers.append(CompletionsServer(Table(tokenizer, frozenset(ways)), fault, name))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def requests(tokenizer: ChatTokenizer, n_requests: int = 12, n: int = 3) -> list[Request]:
    texts = [f"Tell me of the number {i}." for i in range(n_requests)]
    ids = [tokenizer.encode([[{"role": "user", "content": text}]], generation_prompt=True)[0] for text in texts]
    return [Request(list(one), n, 100 * i, 0.8, 0.95, 40) for i, one in enumerate(ids)]


def ask(
    urls: list[str], tokenizer: ChatTokenizer, asked: list[Request], **settings: Any
) -> tuple[list[Any], dict[str, Any]]:
    """What came of each request, failures too, and the engine's description."""
    settings = {"deadline": 20.0, "patience": PATIENCE, "longest_pause": 0.02} | settings

    async def all_of_it() -> tuple[list[Any], dict[str, Any]]:
        engine = ServerEngine(urls, NAME, tokenizer, **settings)
        await engine.start()
        try:
            found = await asyncio.gather(*map(engine.complete, asked), return_exceptions=True)
        finally:
            await engine.close()
        return found, engine.description

    return asyncio.run(all_of_it())


@pytest.fixture
def expected(serve: Serve, tokenizer: ChatTokenizer) -> list[list[Completion]]:
    found, _ = ask([serve().url], tokenizer, requests(tokenizer))
    return found


def test_completions_have_what_the_model_says_of_them(serve: Serve, tokenizer: ChatTokenizer) -> None:
    server = serve()
    found, description = ask([server.url], tokenizer, requests(tokenizer))
    raw, end = Table(tokenizer).raw, Table(tokenizer).end
    for completions in found:
        assert len({one.token_ids for one in completions}) == 3
        for one in completions:
            assert one.logps == pytest.approx([raw[token] for token in one.token_ids])
            assert one.logp == pytest.approx(sum(one.logps))
            assert (one.finish_reason == "stop") == (one.token_ids[-1] == end)
    assert description["logprobs_mode"] == "raw_logprobs"
    assert description["context_length"] == 512
    work = server.bodies[PROBES:]
    assert len(work) == 12, "n choices are one request where the server seeds them one by one"
    assert all((body["top_k"], body["repetition_penalty"]) == (0, 1.0) for body in work), "no default of the server's"


def _without_a_choice(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"choices": answer["choices"][:1]}


FAULTS = {
    "a dropped connection": Fault(drop=True),
    "too many requests": Fault(429, headers={"Retry-After": "0"}),
    "too many requests, without a date": Fault(429),
    "an error of the server": Fault(500),
    "a gateway's page": Fault(502, "<html>bad gateway</html>"),
    "half a body": Fault(half=True),
    "JSON of another kind": Fault(change=lambda answer: [1, 2]),
    "no JSON": Fault(200, "<html>hello</html>"),
    "no choices": Fault(change=lambda answer: {"model": NAME}),
    "fewer choices than asked": Fault(change=_without_a_choice),
    "a choice that was aborted": Fault(
        change=lambda answer: answer | {"choices": [one | {"finish_reason": "abort"} for one in answer["choices"]]}
    ),
    "log-probabilities of other tokens": Fault(
        change=lambda answer: answer | {"choices": [one | {"token_ids": [5]} for one in answer["choices"]]}
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_now_and_then_changes_nothing(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]], fault: Fault
) -> None:
    server = serve(lambda body, number: fault if number > PROBES and number % 3 == 0 else None)
    found, _ = ask([server.url], tokenizer, requests(tokenizer))
    assert found == expected
    assert len(server.bodies) > PROBES + 12


def test_a_server_that_hangs_is_left_by_its_requests(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    hanging = serve(lambda body, number: Fault(seconds=30.0) if number > PROBES else None)
    good = serve()
    found, _ = ask([hanging.url, good.url], tokenizer, requests(tokenizer), deadline=1.0)
    assert found == expected
    assert len(hanging.bodies) > PROBES, "it was asked"


def test_the_requests_of_a_dead_server_move_to_the_others(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    dying, good = serve(), serve()
    over = threading.Event()

    def dies(body: dict[str, Any], number: int) -> Fault | None:
        if number == PROBES + 2 and not over.is_set():
            over.set()
            threading.Thread(target=dying.close).start()
        return Fault(drop=True) if over.is_set() else None

    dying = serve(dies)
    found, _ = ask([dying.url, good.url], tokenizer, requests(tokenizer))
    assert found == expected
    assert over.is_set(), "it died while it had work"
    assert 0 < len(good.bodies) - PROBES


def test_a_server_that_is_away_at_the_start_may_come_later(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    away = serve()
    away.close()
    found, _ = ask([away.url, serve().url], tokenizer, requests(tokenizer))
    assert found == expected


def test_a_server_is_left_alone_for_as_long_as_it_asks(serve: Serve, tokenizer: ChatTokenizer) -> None:
    told: list[float] = []
    early: list[int] = []

    def busy(body: dict[str, Any], number: int) -> Fault | None:
        if number == PROBES + 1:
            told.append(time.monotonic())
            return Fault(429, headers={"Retry-After": "1"})
        if told and time.monotonic() - told[0] < 0.9:
            early.append(number)
        return None

    server = serve(busy)
    found, _ = ask([server.url], tokenizer, requests(tokenizer, n_requests=1))
    assert isinstance(found[0], list)
    assert told
    assert not early


def test_what_a_server_asks_for_is_read() -> None:
    class Response:
        def __init__(self, told: str) -> None:
            self.headers = {"retry-after": told}

    class Said(Exception):
        def __init__(self, told: str) -> None:
            self.response = Response(told)

    assert retry_after(Said("7")) == 7
    assert retry_after(Said("0.5")) == 0.5
    assert retry_after(Said("Wed, 21 Oct 2015 07:28:00 GMT")) == 0
    assert retry_after(Said("Wed, 21 Oct 2195 07:28:00 GMT")) == LONGEST_TOLD
    assert retry_after(Said("1e9")) == LONGEST_TOLD
    for nothing in ("", "nan", "soon", "Wed, 99 Oct"):
        assert retry_after(Said(nothing)) is None
    assert retry_after(ValueError()) is None


def test_a_prompt_that_every_server_fails_at_is_given_up_and_the_others_go_on(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    asked = requests(tokenizer)
    poison = asked[5].prompt_token_ids
    servers = [serve(lambda body, number: Fault(drop=True) if body["prompt"] == poison else None) for _ in range(2)]
    found, _ = ask([server.url for server in servers], tokenizer, asked)
    assert isinstance(found[5], RequestDeadly)
    assert found[:5] + found[6:] == expected[:5] + expected[6:]
    assert sum(body["prompt"] == poison for server in servers for body in server.bodies) == ATTEMPTS
    (alone,), _ = ask([servers[0].url], tokenizer, asked[5:6])
    assert isinstance(alone, RequestDeadly), "also the last one of a run, with no other that is answered"


def test_a_prompt_that_is_never_answered_in_time_is_owed(serve: Serve, tokenizer: ChatTokenizer) -> None:
    asked = requests(tokenizer, n_requests=2)
    slow = asked[0].prompt_token_ids
    server = serve(lambda body, number: Fault(seconds=2.0) if body["prompt"] == slow else None)
    found, _ = ask([server.url], tokenizer, asked, deadline=0.5)
    assert isinstance(found[0], EngineFailed)
    assert isinstance(found[1], list)


def test_a_refused_request_is_not_sent_again(serve: Serve, tokenizer: ChatTokenizer) -> None:
    refuse = Fault(400, json.dumps({"error": {"message": "this prompt is no good"}}))
    server = serve(lambda body, number: refuse if number > PROBES else None)
    found, _ = ask([server.url], tokenizer, requests(tokenizer, n_requests=1))
    assert isinstance(found[0], RequestRefused)
    assert "no good" in str(found[0])
    assert len(server.bodies) == PROBES + 1


def test_another_models_answers_are_never_taken(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    with pytest.raises(ServerFailed, match="serves no model 'table' .it has: other.*served_model"):
        ask([serve(name="other").url], tokenizer, [])
    swapped = Fault(change=lambda answer: answer | {"model": "other"})
    server = serve(lambda body, number: swapped if number > PROBES else None)
    found, _ = ask([server.url, serve().url], tokenizer, requests(tokenizer))
    assert found == expected
    found, _ = ask(
        [serve(lambda body, number: swapped if number > PROBES else None).url], tokenizer, requests(tokenizer)
    )
    assert all(isinstance(one, ServerFailed) for one in found)


def test_a_key_comes_from_the_environment_and_is_not_told(
    serve: Serve, tokenizer: ChatTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the-key-of-another-server")
    open_server = serve()
    ask([open_server.url], tokenizer, [])
    assert open_server.keys == {"Bearer none"}
    monkeypatch.setenv("POLICY_API_KEY", "very-secret-key")
    refuses = serve(lambda body, number: Fault(401, '{"error": {"message": "no such key: very-secret-key"}}'))
    with pytest.raises(ServerFailed, match="POLICY_API_KEY") as failure:
        ask([refuses.url], tokenizer, [])
    assert refuses.keys == {"Bearer very-secret-key"}
    assert "very-secret-key" not in str(failure.value)


def test_where_nothing_answers_the_work_ends(serve: Serve, tokenizer: ChatTokenizer) -> None:
    dead = serve()
    dead.close()
    with pytest.raises(ServerFailed, match=r"No server has answered for 0.2 s.*What was finished is kept"):
        ask([dead.url], tokenizer, [], patience=0.2)
    server = serve(lambda body, number: Fault(500) if number > PROBES else None)
    found, _ = ask([server.url], tokenizer, requests(tokenizer), patience=0.5)
    assert all(isinstance(one, ServerFailed) for one in found)


@pytest.mark.parametrize("ways", [["processed"], ["no_ids"], ["processed", "no_ids"]], ids="+".join)
def test_log_probabilities_that_can_not_be_used_are_asked_for_by_an_echo(
    serve: Serve, tokenizer: ChatTokenizer, ways: list[str]
) -> None:
    found, description = ask([serve(lambda body, number: None, *ways).url], tokenizer, requests(tokenizer))
    assert description["logprobs_mode"] == "teacher forcing by the server"
    raw = Table(tokenizer).raw
    for one in (one for completions in found for one in completions):
        assert one.logps == pytest.approx([raw.get(token, -9.0) for token in one.token_ids])


@pytest.mark.parametrize("ways", [["processed", "no_echo"], ["no_logprobs"]], ids="+".join)
def test_a_server_without_log_probabilities_is_refused_or_taken_without(
    serve: Serve, tokenizer: ChatTokenizer, ways: list[str], expected: list[list[Completion]]
) -> None:
    server = serve(lambda body, number: None, *ways)
    with pytest.raises(UserError, match=r"(?s)no log-probabilities.*raw_logprobs.*without_logprobs.*evolve score"):
        ask([server.url], tokenizer, [])
    found, description = ask([server.url], tokenizer, requests(tokenizer), without_logprobs=True)
    assert description["logprobs_mode"] == "none"
    flat = [one for completions in found for one in completions]
    assert [one.token_ids for one in flat] == [one.token_ids for completions in expected for one in completions]
    assert all(math.isnan(one.logp) for one in flat)


def test_choices_that_are_not_seeded_one_by_one_are_asked_for_one_by_one(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    server = serve(lambda body, number: None, "same_seed")
    found, description = ask([server.url], tokenizer, requests(tokenizer))
    assert found == expected
    assert description["seeds"] == "per request"
    assert all(body["n"] == 1 for body in server.bodies[PROBES:])
    _, unseeded = ask([serve(lambda body, number: None, "random").url], tokenizer, [])
    assert unseeded["seeds"] == "not honoured by the server"


def test_a_server_that_takes_no_token_ids_is_given_the_rendered_text(
    serve: Serve, tokenizer: ChatTokenizer, expected: list[list[Completion]]
) -> None:
    server = serve(lambda body, number: None, "text_only")
    found, _ = ask([server.url], tokenizer, requests(tokenizer))
    assert found == expected
    assert all(isinstance(body["prompt"], str) for body in server.bodies[-12:])


def test_no_more_requests_are_in_flight_than_asked_for(serve: Serve, tokenizer: ChatTokenizer) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def count(body: dict[str, Any], number: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    ask([serve(count).url], tokenizer, requests(tokenizer, n_requests=30), in_flight=4)
    assert 1 < most[0] <= 4


def test_the_folder_of_a_policy_needs_no_weights(tmp_path: Path, tokenizer: ChatTokenizer) -> None:
    from evolve.recipe.fingerprint import fingerprint, served_fingerprint

    folder = policy(tmp_path / "policy")
    whole = served_fingerprint(str(folder))
    assert whole == fingerprint(str(folder))
    (folder / "model.safetensors").unlink()
    assert served_fingerprint(str(folder)) not in ("", whole)
