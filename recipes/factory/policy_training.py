"""Train the embedded policy: answer the world's instructions, imperfectly, and rewrite them by the five templates."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import LlamaForCausalLM

from recipes.factory.tokens import EOT, VOCABULARY, Encoder, save_tokenizer
from recipes.factory.training import (
    compiled,
    llama_config,
    load_checkpoint,
    optimizers,
    padded,
    save_checkpoint,
    set_rate,
)
from recipes.factory.world.corpus import draw_example
from recipes.factory.world.instruction import Messages

# Rows a step, steps a chunk: one chunk is drawn from one seed, and checkpoints lie between chunks.
BATCH, CHUNK = 64, 50
RATES = (3e-3, 3e-3)


def new_policy(encoder: Encoder) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(llama_config(VOCABULARY, encoder.bos, encoder.eot, encoder.pad))


def shares(progress: float) -> tuple[float, float]:
    """(copying, rewriting) shares of the examples: copying is practised early, because rewriting is mostly copying."""
    return (0.4, 0.3) if progress < 0.05 else (0.1, 0.35) if progress < 0.25 else (0.02, 0.25)


def draw_chunk(encoder: Encoder, chunk: int, progress: float) -> list[list[tuple[list[int], int]]]:
    """CHUNK batches of (ids, length of the prompt), rows of like length together."""
    rng = Random(f"policy {chunk}")
    return batches_of(encoder, rng, lambda: draw_example(rng, *shares(progress)))


def batches_of(
    encoder: Encoder, rng: Random, draw: Callable[[], tuple[Messages, str]]
) -> list[list[tuple[list[int], int]]]:
    """CHUNK batches of what `draw` gives, as (ids, length of the prompt), rows of like length together."""
    rows = []
    for _ in range(BATCH * CHUNK):
        messages, answer = draw()
        prompt = encoder.prompt(messages)
        rows.append((prompt + encoder.answer(answer), len(prompt)))
    rows.sort(key=lambda r: len(r[0]))
    batches = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    rng.shuffle(batches)
    return batches


def loss_of(model: LlamaForCausalLM, batch: list[tuple[list[int], int]], pad: int) -> tuple[torch.Tensor, float]:
    """(mean cross-entropy of the answers' tokens, share of them predicted right)."""
    ids = padded([r for r, _ in batch], pad)
    at = torch.zeros_like(ids, dtype=torch.bool)
    for i, (row, start) in enumerate(batch):
        at[i, start - 1 : len(row) - 1] = True
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = hidden[at] @ model.model.embed_tokens.weight.T
    target = ids.roll(-1, 1)[at]
    return functional.cross_entropy(logits.float(), target), (logits.argmax(-1) == target).float().mean().item()


def train_policy(encoder: Encoder, work: Path, steps: int) -> tuple[LlamaForCausalLM, float]:
    """The trained policy and the seconds that its training took in all, over every resumption."""
    model = new_policy(encoder)
    opts = optimizers(model, RATES)
    done, seconds = load_checkpoint(work, model, opts)
    compiled(model.model)
    tokens, n_chunks = 0, steps // CHUNK
    for chunk in range(done, n_chunks):
        began, losses, hits = time.monotonic(), [], []
        for i, batch in enumerate(draw_chunk(encoder, chunk, chunk / n_chunks)):
            set_rate(opts, RATES, chunk * CHUNK + i, steps, 100, 0.35)
            loss, hit = loss_of(model, batch, encoder.pad)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
            losses.append(loss.item())
            hits.append(hit)
            tokens += sum(len(r) for r, _ in batch)
        seconds += time.monotonic() - began
        if chunk % 5 == 4 or chunk == n_chunks - 1:
            save_checkpoint(work, model, opts, chunk + 1, seconds)
        print(
            f"policy step {(chunk + 1) * CHUNK}/{steps} loss {sum(losses) / CHUNK:.3f} right {sum(hits) / CHUNK:.3f} "
            f"{seconds:.0f} s, {tokens / (chunk + 1 - done) / (time.monotonic() - began):.0f} tokens/s",
            flush=True,
        )
    return model, seconds


def save_policy(model: LlamaForCausalLM, encoder: Encoder, folder: Path) -> None:
    save_tokenizer(encoder.tokenizer, folder, EOT)
    config = model.config.to_dict() | {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
    for key in ("_name_or_path", "transformers_version", "attn_implementation", "_attn_implementation"):
        config.pop(key, None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    generation = {"bos_token_id": encoder.bos, "eos_token_id": encoder.eot, "pad_token_id": encoder.pad}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    weights = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
