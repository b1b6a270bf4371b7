"""What does the program cost beside the engine? The generation phase against the same engine driven bare.

A: the program's whole generation phase into a fresh folder: jobs, chat rendering, seeds, filters, hashing, parquet.
B: the very requests of A, recorded once, sent to the same engine object by as many workers; the answers are
   thrown away. Requests that A had to wait for (the samples of a rewrite) are there from the start.
C: beside it, what a script would do: `LLM.generate` on all rewrites and first samples, a barrier, then on the
   samples of the rewrites; the same token ids, seeds and parameters, vLLM's synchronous engine in a process of its own.

A and B alternate in one process. vLLM's prefix cache is emptied before each, so nobody finds the other's work done.
The first pass of each is not counted. Printed: seconds of each round, medians, and A/B and A/C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evolve.executors.local import run_jobs
from evolve.recipe.loading import load_recipe, parse_override
from evolve.recipe.sections import Recipe
from evolve.run import Run
from generation import Chat, Completion, Engine, Request, load_chat
from generation.engines.vllm import CPU_ENVIRONMENT, ENVIRONMENT, VllmEngine


class Recorder:
    """The engine, with its requests kept in the order in which they came."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.requests = engine, list[Request]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def complete(self, request: Request) -> list[Completion]:
        self.requests.append(request)
        return await self._engine.complete(request)


def main() -> None:
    arguments = _arguments()
    if arguments.barriers:
        return print(json.dumps(barriers(json.loads(arguments.barriers.read_text()))))
    recipe = _recipe(arguments)
    requests, initial, product, bare = asyncio.run(alternate(recipe, arguments.rounds))
    n_samples = sum(request.n for request in requests)
    print(f"{len(initial)} prompts: {len(requests)} requests, {n_samples} completions, policy {recipe.policy.model}")
    script = _barriers_in_a_process(recipe, requests, initial, arguments.rounds)
    for name, seconds in (("program", product), ("bare engine", bare), ("LLM.generate", script)):
        print(f"{name:<13}" + " ".join(f"{s:8.2f}" for s in seconds) + f"   median {statistics.median(seconds):.2f} s")
    paired = statistics.median(a / b for a, b in zip(product, bare, strict=True))
    medians = [statistics.median(seconds) for seconds in (product, bare, script)]
    print(f"program / bare engine: {medians[0] / medians[1]:.3f} of medians, {paired:.3f} median of paired rounds")
    print(f"program / LLM.generate in two barriers: {medians[0] / medians[2]:.3f}")


async def alternate(recipe: Recipe, rounds: int) -> tuple[list[Request], list[list[int]], list[float], list[float]]:
    """The requests of the program, the token ids of its initial prompts, and the seconds of A and of B per round."""
    engine, chat = _engine(recipe), load_chat(recipe.policy.model)
    await engine.start()
    recorder = Recorder(engine)
    _, initial = await _program(recipe, recorder, chat)
    await _bare(engine, recorder.requests, recipe.policy.in_flight)
    product, bare = [], []
    for _ in range(rounds):
        await engine._llm.reset_prefix_cache()
        product.append((await _program(recipe, engine, chat))[0])
        await engine._llm.reset_prefix_cache()
        bare.append(await _bare(engine, recorder.requests, recipe.policy.in_flight))
    await engine.close()
    return recorder.requests, initial, product, bare


async def _program(recipe: Recipe, engine: Any, chat: Chat) -> tuple[float, list[list[int]]]:
    """Seconds of the generation phase, from the pool's keys to the last part on disk; token ids of X."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        run = Run(recipe, Path(folder))
        with run.pool.growing(run.sampler.id):
            prompts = set(run.prompts)
            del run.claims  # made anew below: reading the pool's keys is part of the phase
            started = time.perf_counter()
            jobs = run.jobs.missing(prompts, prompts)
            await run_jobs(run.grower(engine, chat), jobs, run.pool, run.tally, recipe.policy.in_flight)
            seconds = time.perf_counter() - started
        rows = [row for part in run.pool.prompts.scan(["messages", "parent_id"]) for row in part.to_pylist()]
        run.pool.close()
    return seconds, [chat.render(row["messages"]) for row in rows if not row["parent_id"]]


async def _bare(engine: Engine, requests: Sequence[Request], in_flight: int) -> float:
    """Seconds to have all `requests` answered, `in_flight` at a time."""
    waiting = iter(requests)

    async def work() -> None:
        for request in waiting:
            await engine.complete(request)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return time.perf_counter() - started


def _engine(recipe: Recipe) -> VllmEngine:
    policy = recipe.policy
    return VllmEngine(policy.model, dtype=policy.dtype, max_model_len=policy.max_model_len, options=policy.engine)


def _barriers_in_a_process(
    recipe: Recipe, requests: list[Request], initial: list[list[int]], rounds: int
) -> list[float]:
    first_prompts = set(map(tuple, initial))
    stages: list[list[dict[str, Any]]] = [[], []]
    for request in requests:  # rewrites have n = 1; the samples of a rewrite can only be asked for after it
        is_first = request.n == 1 or tuple(request.prompt_token_ids) in first_prompts
        stages[0 if is_first else 1].append(asdict(request))
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "requests.json"
        job.write_text(json.dumps({"recipe": recipe.model_dump(), "stages": stages, "rounds": rounds}))
        command = [sys.executable, "-m", "benchmarks.overhead", "--barriers", str(job)]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return list(json.loads(out.splitlines()[-1]))


def barriers(job: dict[str, Any]) -> list[float]:
    """Seconds of `LLM.generate` on each stage in turn, summed, per round."""
    import torch

    engine = _engine(Recipe.model_validate(job["recipe"]))
    for name, value in (ENVIRONMENT | (CPU_ENVIRONMENT if not torch.cuda.is_available() else {})).items():
        os.environ.setdefault(name, value)
    from vllm import LLM, SamplingParams, TokensPrompt
    from vllm.platforms import current_platform

    llm = LLM(**engine._arguments(cpu=current_platform.is_cpu()))

    def generate(stage: list[dict[str, Any]]) -> None:
        sampling = [
            SamplingParams(
                n=one["n"],
                seed=one["seed"],
                temperature=one["temperature"],
                top_p=one["top_p"],
                max_tokens=one["max_tokens"],
                logprobs=0,
                flat_logprobs=True,
            )
            for one in stage
        ]
        prompts = [TokensPrompt(prompt_token_ids=one["prompt_token_ids"]) for one in stage]
        outputs = llm.generate(prompts, sampling, use_tqdm=False)
        assert sum(len(output.outputs) for output in outputs) == sum(one["n"] for one in stage)

    seconds = []
    for _ in range(job["rounds"] + 1):
        llm.reset_prefix_cache()
        started = time.perf_counter()
        for stage in job["stages"]:
            generate(stage)
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def _recipe(arguments: argparse.Namespace) -> Recipe:
    overrides: dict[str, Any] = dict(map(parse_override, arguments.set))
    named = {"policy.model": arguments.policy, "prompts.source": arguments.prompts, "prompts.limit": arguments.limit}
    return load_recipe(arguments.recipe, overrides | {key: value for key, value in named.items() if value is not None})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--recipe", default="default", help="a shipped recipe or a .toml file (default: the embedded one)"
    )
    parser.add_argument("--policy", help="folder of the policy, instead of the recipe's")
    parser.add_argument("--prompts", help="file of prompts, instead of the recipe's")
    parser.add_argument("--limit", type=int, help="how many prompts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="any recipe key: --set sampling.max_tokens=64")
    parser.add_argument("--barriers", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
