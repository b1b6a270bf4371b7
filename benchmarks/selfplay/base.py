"""The SFT policy that all arms start from: the embedded policy, taught for some steps by a worse teacher.

The embedded policy answers nearly everything well, so there is little to gain by preferences. This one has learnt to
rewrite as well, but most of the answers that it has seen last are wrong, off topic, cut or too short; right ones are
among its samples, and best of five is far above the mean. That is the headroom that the comparison needs.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from recipes.factory import EMBEDDED
from recipes.factory.policy_training import CHUNK, batches_of, loss_of, save_policy
from recipes.factory.tokens import Encoder
from recipes.factory.training import compiled, optimizers, set_rate
from recipes.factory.world.instruction import Messages, draw_answer, draw_instruction
from recipes.factory.world.rewriting import draw_rewrite

STEPS, RATES = 300, (1e-3, 1e-3)
FLAWED, FLAWS = 0.85, ("wrong", "wrong", "off topic", "cut", "short")
REWRITING = 0.25


def example(rng: Random) -> tuple[Messages, str]:
    """A rewriting request with a good rewrite, or an instruction with an answer of the worse teacher."""
    if rng.random() < REWRITING:
        return draw_rewrite(rng, False)
    asked = draw_instruction(rng, False)
    return asked.messages(), draw_answer(rng, asked, rng.choice(FLAWS) if rng.random() < FLAWED else "")


def make_base(out: Path, steps: int = STEPS) -> Path:
    """Train the SFT policy into the folder `out`, once: a folder that is there is taken as it is."""
    if out.exists():
        return out
    encoder = Encoder(Tokenizer.from_file(str(EMBEDDED / "policy" / "tokenizer.json")))
    model = LlamaForCausalLM.from_pretrained(EMBEDDED / "policy", dtype=torch.float32)
    opts, rng = optimizers(model, RATES), Random("a worse teacher")
    compiled(model.model)
    for chunk in range(steps // CHUNK):
        for i, batch in enumerate(batches_of(encoder, rng, lambda: example(rng))):
            set_rate(opts, RATES, chunk * CHUNK + i, steps, 20, 0.5)
            loss, right = loss_of(model, batch, encoder.pad)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
        print(f"SFT step {(chunk + 1) * CHUNK}/{steps} loss {loss.item():.3f} right {right:.3f}", flush=True)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_policy(model, encoder, part)
    part.rename(out)
    return out
