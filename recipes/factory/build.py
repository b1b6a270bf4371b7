"""Build the embedded models from nothing, or go on where the last checkpoint of a killed run lies."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Literal

from safetensors.torch import load_file
from tokenizers import Tokenizer

from recipes.factory.policy_training import new_policy, save_policy, train_policy
from recipes.factory.reward_data import ANSWERS, Group, judged
from recipes.factory.reward_model import save_reward
from recipes.factory.reward_training import train_reward
from recipes.factory.seeds import save_seeds
from recipes.factory.tokens import Encoder, train_tokenizer
from recipes.factory.world.instruction import draw_instruction

Part = Literal["policy", "reward", "prompts"]


def tokenizer_of(work: Path) -> Tokenizer:
    path = work / "tokenizer.json"
    if not path.exists():
        began = time.monotonic()
        work.mkdir(parents=True, exist_ok=True)
        train_tokenizer().save(str(path))
        print(f"tokenizer: {time.monotonic() - began:.0f} s", flush=True)
    return Tokenizer.from_file(str(path))


def pool_of(work: Path, policy: Path, n_prompts: int) -> list[Group]:
    """Answers of the trained policy to training prompts, judged by the checkers: what the reward model will see."""
    path = work / "pool.jsonl"
    if not path.exists():
        from recipes.factory.sampling import Sampler  # not above: it turns off the compiler, which training needs

        began, rng = time.monotonic(), Random("pool")
        asked = [draw_instruction(rng, False).messages() for _ in range(n_prompts)]
        answers = Sampler(policy).sample(asked, ANSWERS, seed=3)
        rows = [json.dumps([m, [a.text for a in group]]) for m, group in zip(asked, answers, strict=True)]
        path.write_text("\n".join(rows))
        print(f"pool: {n_prompts} prompts, {time.monotonic() - began:.0f} s", flush=True)
    groups = [judged(*json.loads(line)) for line in path.read_text().splitlines()]
    return [g for g in groups if g and max(g.quality) - min(g.quality) > 0.05]


def build_all(work: Path, out: Path, policy_steps: int, reward_steps: int, pool: int, only: Part | None) -> None:
    """Write the prompts and both models, or the part `only`, to `out`; `pool` is how many prompts are answered."""
    for folder in (out / "policy", out / "reward"):
        folder.mkdir(parents=True, exist_ok=True)
    if only in (None, "prompts"):
        print(f"prompts: {save_seeds(out / 'prompts.jsonl')}", flush=True)
    encoder = Encoder(tokenizer_of(work))
    if only in (None, "policy"):
        model, seconds = train_policy(encoder, work / "policy", policy_steps)
        save_policy(model, encoder, out / "policy")
        print(f"policy: {policy_steps} steps, {seconds:.0f} s of training", flush=True)
    if only in (None, "reward"):
        policy = new_policy(encoder)
        policy.load_state_dict(load_file(out / "policy" / "model.safetensors"), strict=False)
        groups = pool_of(work, out / "policy", pool)
        reward, seconds = train_reward(encoder, policy, groups, work / "reward", reward_steps)
        save_reward(reward, encoder, out / "reward")
        print(f"reward model: {reward_steps} steps, {seconds:.0f} s of training", flush=True)
