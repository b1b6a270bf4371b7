"""Engines that die: they are started again, what they lost is sent again, and a run survives it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fake_runs import Made, fake_recipe, made_so_far, make, prompt, write_source
from generation import Completion, EngineDied, Request
from generation.engines.fake import FakeEngine
from generation.engines.restart import RestartingEngine
from prompts.errors import UserError


def _request(seed: int, text: str = "hello") -> Request:
    return Request(list(text.encode()), 2, seed, 0.8, 0.95, 100)


async def _all(engine: FakeEngine, requests: list[Request]) -> list[list[Completion]]:
    restarting = RestartingEngine(engine, wait_seconds=0.01)
    await restarting.start()
    return await asyncio.gather(*map(restarting.complete, requests))


def test_a_dead_engine_is_started_again_and_only_what_it_lost_is_sent_again() -> None:
    requests = [_request(i) for i in range(50)]
    healthy, dying = FakeEngine(delay=0.005), FakeEngine(delay=0.005, dies_at=[20, 65])
    assert asyncio.run(_all(dying, requests)) == asyncio.run(_all(healthy, requests))
    assert dying.answered == 50  # none twice
    assert healthy.requests == 50 < dying.requests


def test_an_engine_that_dies_of_a_request_is_given_up_after_four_tries() -> None:
    async def give_up() -> tuple[list[Any], FakeEngine]:
        engine = FakeEngine(deadly="poison")
        restarting = RestartingEngine(engine, wait_seconds=0.01)
        await restarting.start()
        fine = [await restarting.complete(_request(i)) for i in range(3)]
        with pytest.raises(UserError, match=r"died 4 times .*What was finished is on disk"):
            await restarting.complete(_request(9, "some poison here"))
        return [*fine, await restarting.complete(_request(10))], engine

    answers, engine = asyncio.run(give_up())
    assert len(answers) == engine.answered == 4
    assert engine.requests == 4 + 4


def test_without_an_engine_there_is_no_answer() -> None:
    with pytest.raises(EngineDied):
        asyncio.run(FakeEngine().complete(_request(0)))


def _content(made: Made) -> list[dict[str, Any]]:
    """What was made, without the ids, which name the engine's options too."""
    rows = made.train.to_pylist()
    return [{name: value for name, value in row.items() if not name.endswith("_id")} for row in rows]


def test_a_run_survives_its_engine_s_deaths(tmp_path: Path) -> None:
    source = write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(12)])
    healthy = make(fake_recipe(source, selection__metric="eva"), tmp_path / "healthy")
    dying = make(fake_recipe(source, selection__metric="eva", policy__engine={"dies_at": [7, 150]}), tmp_path / "dying")
    assert _content(dying) == _content(healthy)
    assert dying.calls == healthy.calls
    assert dying.manifest["rows"] == healthy.manifest["rows"]


def test_a_prompt_that_kills_every_engine_ends_the_run_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = write_source(tmp_path / "prompts.jsonl", [*map(prompt, range(8)), "Explain the word xyzzy to a child."])
    settings = {"policy__engine": {"deadly": "xyzzy"}, "policy__in_flight": 2}
    with pytest.raises(UserError, match="The engine died 4 times"):
        make(fake_recipe(path, **settings), tmp_path / "run")
    kept = made_so_far(tmp_path / "run")
    assert kept["rewrite"] == 8 * 5
    write_source(path, [prompt(i) for i in range(8)])
    made = make(fake_recipe(path, **settings), tmp_path / "run")
    assert made.calls["rewrite"] == 0
    assert made.calls["sample"] == 0
    assert made.calls["reward"] == kept["sample"]
