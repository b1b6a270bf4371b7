"""What every engine promises, held against the fake that ships and against vLLM."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from generation import Chat, Completion, Engine, EngineDied, Request, RequestRefused, load_chat
from generation.engines.fake import FakeChat, FakeEngine
from generation.engines.restart import RestartingEngine
from prompts.errors import UserError

WORDS = ["Tell me of the fox.", "What are some words for a fine day?", "Why does the dog sleep so long?", "x"]


@dataclass
class Driver:
    """An engine and its chat on one event loop, which AsyncLLM is bound to."""

    engine: Engine
    chat: Chat
    loop: asyncio.AbstractEventLoop

    def request(self, text: str, n: int = 5, seed: int = 1000, max_tokens: int = 64) -> Request:
        ids = self.chat.render([{"role": "user", "content": text}])
        return Request(ids, n, seed, temperature=0.8, top_p=0.95, max_tokens=max_tokens)

    def complete(self, *requests: Request) -> list[list[Completion]]:
        async def all_at_once() -> list[list[Completion]]:
            return await asyncio.gather(*map(self.engine.complete, requests))

        return self.loop.run_until_complete(all_at_once())

    def start(self) -> None:
        self.loop.run_until_complete(self.engine.start())

    def close(self) -> None:
        self.loop.run_until_complete(self.engine.close())


@pytest.fixture(scope="module", params=["fake", pytest.param("vllm", marks=pytest.mark.engine)])
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    loop = asyncio.new_event_loop()
    if request.param == "fake":
        driver = Driver(FakeEngine(context_length=512), FakeChat(), loop)
    else:
        from generation.engines.vllm import VllmEngine
        from tiny_policy import policy

        folder = str(policy(tmp_path_factory.mktemp("policy"), limit=512))
        engine = VllmEngine(folder, dtype="float32", max_model_len=None, options={})
        driver = Driver(engine, load_chat(folder), loop)
    driver.start()
    yield driver
    driver.close()
    loop.close()


def test_context_and_description_are_known_once_started(driver: Driver) -> None:
    assert driver.engine.context_length == 512
    assert driver.engine.description["logprobs_mode"] == "raw_logprobs"
    assert driver.engine.description["seeds"] == "per request"
    assert {"engine", "version", "dtype", "context_length"} <= driver.engine.description.keys()


def test_n_completions_that_differ(driver: Driver) -> None:
    for completions in driver.complete(*map(driver.request, WORDS)):
        assert len(completions) == 5
        assert len({completion.token_ids for completion in completions}) == 5


def test_the_same_request_has_the_same_tokens(driver: Driver) -> None:
    requests = [driver.request(text, seed=10 * i) for i, text in enumerate(WORDS)]
    assert _tokens(driver.complete(*requests)) == _tokens(driver.complete(*requests))


def test_other_seeds_have_other_tokens(driver: Driver) -> None:
    (first,), (second,) = driver.complete(driver.request(WORDS[0])), driver.complete(driver.request(WORDS[0], seed=7))
    assert not {c.token_ids for c in first} & {c.token_ids for c in second}


def test_sample_i_has_seed_plus_i(driver: Driver) -> None:
    """So raising n adds samples to those that are there: nothing is sampled anew."""
    (all_five,) = driver.complete(driver.request(WORDS[1], n=5, seed=77))
    (last_three,) = driver.complete(driver.request(WORDS[1], n=3, seed=79))
    (first,) = driver.complete(driver.request(WORDS[1], n=1, seed=77))
    assert _tokens([last_three, first]) == _tokens([all_five[2:], all_five[:1]])


def test_answers_belong_to_their_requests(driver: Driver) -> None:
    requests = [driver.request(text, n=2, seed=10 * i) for i, text in enumerate(WORDS * 8)]
    together = driver.complete(*requests)
    alone = [driver.complete(request)[0] for request in requests[:4]]
    assert _tokens(together)[:4] == _tokens(alone)


def test_log_probabilities_are_sums_of_logs(driver: Driver) -> None:
    for completions in driver.complete(*map(driver.request, WORDS)):
        for completion in completions:
            assert math.isfinite(completion.logp)
            assert completion.logp < 0
            assert len(completion.token_ids) > 0


def test_finish_reasons_and_the_length_limit(driver: Driver) -> None:
    long = [driver.request(text, n=8, seed=100 * i, max_tokens=400) for i, text in enumerate(WORDS)]
    finished = [completion for completions in driver.complete(*long) for completion in completions]
    assert {completion.finish_reason for completion in finished} <= {"stop", "length"}
    assert sum(completion.finish_reason == "stop" for completion in finished) > len(finished) / 2
    short = [replace(request, max_tokens=3) for request in long]
    cut = [completion for completions in driver.complete(*short) for completion in completions]
    assert max(len(completion.token_ids) for completion in cut) == 3
    assert all(len(completion.token_ids) == 3 for completion in cut if completion.finish_reason == "length")
    assert any(completion.finish_reason == "length" for completion in cut)


def test_a_prompt_that_does_not_fit_is_refused_and_the_engine_goes_on(driver: Driver) -> None:
    fits = driver.request(WORDS[0])
    for n_tokens in (512, 700, 5000):
        with pytest.raises(RequestRefused, match=str(n_tokens)):
            driver.complete(replace(fits, prompt_token_ids=(fits.prompt_token_ids * n_tokens)[:n_tokens]))
    before = driver.complete(fits)

    async def mixed() -> list[object]:
        too_long = replace(fits, prompt_token_ids=fits.prompt_token_ids * 100)
        return await asyncio.gather(*map(driver.engine.complete, [fits, too_long, fits]), return_exceptions=True)

    good, bad, good_too = driver.loop.run_until_complete(mixed())
    assert isinstance(bad, RequestRefused)
    assert good == good_too == before[0]


def test_a_closed_engine_is_dead_and_starts_again(driver: Driver) -> None:
    request = driver.request(WORDS[2])
    before = driver.complete(request)
    driver.close()
    with pytest.raises(EngineDied):
        driver.complete(request)
    driver.close()  # twice does no harm
    driver.start()
    assert _tokens(driver.complete(request)) == _tokens(before)


def test_only_unfinished_requests_are_sent_to_the_engine_that_was_started_again() -> None:
    loop, healthy, dying = asyncio.new_event_loop(), FakeEngine(delay=0.01), FakeEngine(delay=0.01, dies_at=[20, 40])
    restarting = RestartingEngine(dying, wait_seconds=0.001)
    expected, answers = Driver(healthy, FakeChat(), loop), Driver(restarting, FakeChat(), loop)
    expected.start()
    answers.start()
    requests = [expected.request(text, n=2, seed=10 * i) for i, text in enumerate(WORDS * 10)]
    assert answers.complete(*requests[:10]) == expected.complete(*requests[:10])
    assert answers.complete(*requests[10:]) == expected.complete(*requests[10:])
    assert restarting.restarts == 2
    assert dying.requests == 40 + 30
    loop.close()


def test_a_request_that_kills_every_engine_ends_the_run_with_a_clear_error() -> None:
    loop = asyncio.new_event_loop()
    driver = Driver(RestartingEngine(FakeEngine(dies_at=range(100)), attempts=3, wait_seconds=0.001), FakeChat(), loop)
    driver.start()
    with pytest.raises(UserError, match="died 3 times"):
        driver.complete(driver.request(WORDS[0]))
    loop.close()


def test_a_refused_request_is_not_sent_again() -> None:
    loop, engine = asyncio.new_event_loop(), FakeEngine(context_length=16)
    driver = Driver(RestartingEngine(engine), FakeChat(), loop)
    driver.start()
    with pytest.raises(RequestRefused):
        driver.complete(driver.request(WORDS[0]))
    assert engine.requests == 0
    loop.close()


def _tokens(answers: list[list[Completion]]) -> list[list[tuple[int, ...]]]:
    return [[completion.token_ids for completion in completions] for completions in answers]
