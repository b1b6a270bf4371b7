"""Build the embedded models from nothing: `python recipes/embedded/build.py`.

Draws the data, trains the tokenizer, the policy and the reward model, and writes the prompts. A killed run goes on
where its last checkpoint lies; remove the work folder to start afresh. Prints how long each step took.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from random import Random

from policy_training import new_policy, save_policy, train_policy
from reward_data import ANSWERS, Group, judged
from reward_model import save_reward
from reward_training import train_reward
from safetensors.torch import load_file
from sampling import Sampler
from seeds import save_seeds
from tokenizers import Tokenizer
from tokens import Encoder, train_tokenizer
from world.instruction import draw_instruction

HERE = Path(__file__).parent


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
        began, rng = time.monotonic(), Random("pool")
        asked = [draw_instruction(rng, False).messages() for _ in range(n_prompts)]
        answers = Sampler(policy).sample(asked, ANSWERS, seed=3)
        rows = [json.dumps([m, [a.text for a in group]]) for m, group in zip(asked, answers, strict=True)]
        path.write_text("\n".join(rows))
        print(f"pool: {n_prompts} prompts, {time.monotonic() - began:.0f} s", flush=True)
    groups = [judged(*json.loads(line)) for line in path.read_text().splitlines()]
    return [g for g in groups if g and max(g.quality) - min(g.quality) > 0.05]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "evolve-embedded", help="checkpoints lie here"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="the folders policy/ and reward/ are written here")
    parser.add_argument("--policy-steps", type=int, default=6500)
    parser.add_argument("--reward-steps", type=int, default=6000)
    parser.add_argument(
        "--pool", type=int, default=10000, help="prompts whose sampled answers the reward model learns from"
    )
    parser.add_argument("--only", choices=("policy", "reward", "prompts"), help="one part alone")
    args = parser.parse_args()
    for folder in (args.out / "policy", args.out / "reward"):
        folder.mkdir(parents=True, exist_ok=True)
    if args.only in (None, "prompts"):
        print(f"prompts: {save_seeds(args.out / 'prompts.jsonl')}", flush=True)
    encoder = Encoder(tokenizer_of(args.work))
    if args.only in (None, "policy"):
        model, seconds = train_policy(encoder, args.work / "policy", args.policy_steps)
        save_policy(model, encoder, args.out / "policy")
        print(f"policy: {args.policy_steps} steps, {seconds:.0f} s of training", flush=True)
    if args.only in (None, "reward"):
        policy = new_policy(encoder)
        policy.load_state_dict(load_file(args.out / "policy" / "model.safetensors"), strict=False)
        pool = pool_of(args.work, args.out / "policy", args.pool)
        reward, seconds = train_reward(encoder, policy, pool, args.work / "reward", args.reward_steps)
        save_reward(reward, encoder, args.out / "reward")
        print(f"reward model: {args.reward_steps} steps, {seconds:.0f} s of training", flush=True)


if __name__ == "__main__":
    main()
