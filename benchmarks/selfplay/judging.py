"""How good a policy is: its sampled answers to held-out prompts, judged by the world's checkers."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import torch

from recipes.factory.world.instruction import Messages, draw_instruction
from recipes.factory.world.judge import judge

TEMPERATURE, TOP_P, MAX_TOKENS, BATCH = 0.8, 0.95, 128, 128


def held_out_prompts(n: int) -> list[Messages]:
    """`n` prompts that neither model was trained on, with 0 to 2 modifiers as the world has them."""
    rng = Random("held out")
    return [draw_instruction(rng, True).messages() for _ in range(n)]


def answers(policy: Path, prompts: list[Messages], seed: int) -> list[str]:
    """One sampled answer to each prompt, in order."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32)
    texts = [tokenizer.apply_chat_template(p, tokenize=False, add_generation_prompt=True) for p in prompts]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = [""] * len(texts)
    torch.manual_seed(seed)
    for i in range(0, len(order), BATCH):
        rows = order[i : i + BATCH]
        asked = tokenizer([texts[j] for j in rows], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            ids = model.generate(
                **asked, do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0, max_new_tokens=MAX_TOKENS
            )
        said = tokenizer.batch_decode(ids[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        for j, text in zip(rows, said, strict=True):
            out[j] = text
    return out


def qualities(prompts: list[Messages], said: list[str]) -> np.ndarray:
    """The checkers' overall quality of each answer, in [0, 1], (n,)."""
    verdicts = [judge(p, a) for p, a in zip(prompts, said, strict=True)]
    return np.array([v.quality if v else np.nan for v in verdicts])
