"""The real engine: log-probabilities against a second implementation, seeds whatever the batch, crashes survived."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from generation import Completion, Engine, Request, load_chat, seed_from
from generation.engines.restart import RestartingEngine
from generation.engines.vllm import VllmEngine
from generation.turns import missing_stop
from tiny_policy import END_OF_TURN, policy
from tiny_tokenizers import LLAMA3_TEMPLATE

pytestmark = pytest.mark.engine

# float32 against float32: the two implementations differ by 1e-6 a token for a flat policy, by 1e-4 for a peaked one.
SUM_TOLERANCE = 1e-3
CONTEXT = 512
WORDS = "the quick brown fox jumps over the lazy dog what are some words for a fine day".split()


@dataclass
class Served:
    """A policy in vLLM on an event loop of its own, and its folder."""

    folder: Path
    engine: VllmEngine
    loop: asyncio.AbstractEventLoop

    def complete(self, requests: Sequence[Request], engine: Engine | None = None) -> list[list[Completion]]:
        async def all_at_once() -> list[list[Completion]]:
            return await asyncio.gather(*map((engine or self.engine).complete, requests))

        return self.loop.run_until_complete(all_at_once())


def serve(folder: Path, options: dict[str, Any], stop: int | None = None) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    engine = VllmEngine(str(folder), dtype="float32", max_model_len=CONTEXT, options=options, stop=stop)
    loop.run_until_complete(engine.start())
    yield Served(folder, engine, loop)
    loop.run_until_complete(engine.close())
    loop.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Batches of 512 tokens, one longest prompt: chunked prefill would have to split the next."""
    folder = policy(tmp_path_factory.mktemp("policy"), limit=CONTEXT)
    yield from serve(folder, {"max_num_batched_tokens": CONTEXT, "max_num_seqs": 16})


def requests_of(folder: Path, count: int, *, n: int = 2, max_tokens: int = 100) -> list[Request]:
    """Different prompts, seeds from their names."""
    chat = load_chat(str(folder))
    texts = [" ".join(WORDS[i % 7 : i % 7 + 3 + i % 9]) + f" {i}?" for i in range(count)]
    return [
        Request(
            chat.render([{"role": "user", "content": text}]), n, seed_from(0, text, "response"), 0.8, 0.95, max_tokens
        )
        for text in texts
    ]


def teacher_forced(folder: Path, pairs: list[tuple[Request, Completion]]) -> list[list[float]]:
    """log pi(y_t | x, y_<t) of every sampled token, by transformers in float32 at temperature 1, one by one."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    with torch.inference_mode():
        for request, completion in pairs:
            x, y = request.prompt_token_ids, list(completion.token_ids)
            logs = torch.log_softmax(model(torch.tensor([x + y])).logits[0, len(x) - 1 : -1], -1)
            found.append(logs.gather(1, torch.tensor(y)[:, None])[:, 0].tolist())
    return found


def sampled(served: Served, requests: list[Request]) -> list[tuple[Request, Completion]]:
    answers = served.complete(requests)
    return [(request, one) for request, answer in zip(requests, answers, strict=True) for one in answer]


def ends_of_turn(folder: Path) -> set[int]:
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    return {ends} if isinstance(ends, int) else set(ends)


def assert_log_probabilities(served: Served, requests: list[Request]) -> None:
    pairs = sampled(served, requests)
    ends = ends_of_turn(served.folder)
    specials = AutoTokenizer.from_pretrained(served.folder).convert_ids_to_tokens(sorted(ends))
    by_reason: dict[str, int] = {"stop": 0, "length": 0}
    for (_, completion), logs in zip(pairs, teacher_forced(served.folder, pairs), strict=True):
        assert len(logs) == len(completion.token_ids)
        assert completion.logp == pytest.approx(sum(logs), abs=SUM_TOLERANCE)
        assert completion.logps == pytest.approx(logs, abs=SUM_TOLERANCE)
        by_reason[completion.finish_reason] += 1
        stopped = completion.finish_reason == "stop"
        assert (completion.token_ids[-1] in ends) == stopped
        assert not set(completion.token_ids[:-1]) & ends
        assert not any(special in completion.text for special in specials)
        if stopped and logs[-1] < -10 * SUM_TOLERANCE:  # the end of the turn is in the sum, and can be seen to be
            assert abs(completion.logp - sum(logs[:-1])) > SUM_TOLERANCE
    assert min(by_reason.values()) >= 5, by_reason


def test_log_probabilities_are_those_of_a_teacher_forced_pass(tiny: Served) -> None:
    """At temperature 1 over the full vocabulary, though sampled at temperature 0.8 and top-p 0.95."""
    assert_log_probabilities(tiny, requests_of(tiny.folder, 40, n=3, max_tokens=40))


def test_log_probabilities_of_a_trained_policy(stories_policy: Path) -> None:
    """Several tokens may end a turn there, and whole stories are cut by the length limit."""
    for served in serve(stories_policy, {}):
        long, short = requests_of(stories_policy, 6, n=4, max_tokens=400), requests_of(stories_policy, 6, max_tokens=30)
        assert_log_probabilities(served, long + short)


def test_a_checkpoint_that_names_another_end_of_turn_stops_where_its_template_does(
    tiny: Served, tmp_path: Path
) -> None:
    """Token for token, log-probability and text, what the sound checkpoint with the same weights gives."""
    folder = policy(tmp_path, limit=CONTEXT)
    for name, key, value in (
        ("generation_config.json", "eos_token_id", 1),
        ("config.json", "eos_token_id", 1),
        ("tokenizer_config.json", "eos_token", "<|end_of_text|>"),
    ):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | {key: value}))
    stop = missing_stop(load_chat(folder).tokenizer)
    assert stop in ends_of_turn(tiny.folder)
    assert missing_stop(load_chat(tiny.folder).tokenizer) is None
    requests = requests_of(tiny.folder, 20, n=3, max_tokens=100)
    expected = tiny.complete(requests)
    for served in serve(folder, {}, stop):
        answers = served.complete(requests)
        assert_same(answers, expected)
        assert [[one.finish_reason for one in answer] for answer in answers] == [
            [one.finish_reason for one in answer] for answer in expected
        ]
        assert served.engine.description["stops_also_at"] == [stop]
    assert sum(one.finish_reason == "stop" for answer in expected for one in answer) > 40


def test_samples_do_not_depend_on_what_else_is_sampled(tiny: Served) -> None:
    requests = requests_of(tiny.folder, 101, n=2)
    together = tiny.complete(requests)
    backwards = tiny.complete(requests[::-1])[::-1]
    alone = [tiny.complete([request])[0] for request in requests[:8]]
    assert_same(backwards, together)
    assert_same(alone, together[:8])


def test_long_prompts_with_seeds_do_not_crash_the_engine(tiny: Served) -> None:
    """Prompts of which no two fit in one step: split over two steps, a seeded one would kill vLLM's CPU worker."""
    short = requests_of(tiny.folder, 40, n=3, max_tokens=20)
    long = [
        Request((request.prompt_token_ids * 40)[: 300 + 4 * i], 3, request.seed, 0.8, 0.95, 20)
        for i, request in enumerate(short)
    ]
    answers = tiny.complete(long)
    assert [len(answer) for answer in answers] == [3] * 40
    assert_same(tiny.complete(long[:3]), answers[:3])


def test_a_prompt_that_fills_the_context_but_for_one_token(tiny: Served) -> None:
    request = requests_of(tiny.folder, 1)[0]
    full = Request((request.prompt_token_ids * 60)[: CONTEXT - 1], 2, 0, 0.8, 0.95, 1)
    assert [len(completion.token_ids) for completion in tiny.complete([full])[0]] == [1, 1]


def test_the_template_alone_puts_the_bos_in_front(tiny: Served) -> None:
    """And the engine adds none: the log-probabilities above are of exactly these ids."""
    tokenizer = AutoTokenizer.from_pretrained(tiny.folder)
    assert tokenizer.chat_template == LLAMA3_TEMPLATE
    for request in requests_of(tiny.folder, 5):
        assert request.prompt_token_ids[0] == tokenizer.bos_token_id
        assert request.prompt_token_ids.count(tokenizer.bos_token_id) == 1
        assert request.prompt_token_ids.count(tokenizer.convert_tokens_to_ids(END_OF_TURN)) == 1


def test_options_reach_vllm(tiny: Served) -> None:
    scheduler = tiny.engine._llm.vllm_config.scheduler_config
    assert (scheduler.max_num_batched_tokens, scheduler.max_num_seqs) == (CONTEXT, 16)
    assert not scheduler.enable_chunked_prefill
    assert tiny.engine.description["dtype"] == "float32"


def test_kill_9_of_the_engine_in_the_middle_of_50_requests(tiny: Served) -> None:
    requests = requests_of(tiny.folder, 50, n=3, max_tokens=300)
    expected = tiny.complete(requests)
    engine = RestartingEngine(tiny.engine, wait_seconds=0.1)
    finished_at_death = 0

    async def and_kill() -> list[list[Completion]]:
        nonlocal finished_at_death
        tasks = [asyncio.create_task(engine.complete(request)) for request in requests]
        while sum(task.done() for task in tasks) < 10:
            await asyncio.sleep(0.001)
        finished_at_death = sum(task.done() for task in tasks)
        for child in _engine_cores():
            os.kill(child, signal.SIGKILL)
        return await asyncio.gather(*tasks)

    answers = tiny.loop.run_until_complete(and_kill())
    assert 10 <= finished_at_death < 50
    assert engine.restarts == 1
    assert_same(answers, expected)


def _engine_cores() -> list[int]:
    found = [child.pid for child in multiprocessing.active_children() if "EngineCore" in child.name]
    assert found, "vLLM has no process of that name any more"
    return [pid for pid in found if pid is not None]


def assert_same(answers: list[list[Completion]], expected: list[list[Completion]]) -> None:
    """Token for token; log-probabilities within rounding."""
    for answer, other in zip(answers, expected, strict=True):
        assert [completion.token_ids for completion in answer] == [completion.token_ids for completion in other]
        assert [completion.text for completion in answer] == [completion.text for completion in other]
        for one, two in zip(answer, other, strict=True):
            assert one.logp == pytest.approx(two.logp, abs=SUM_TOLERANCE)
