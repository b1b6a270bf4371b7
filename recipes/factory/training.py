"""What both trainings share: the shape of the model, optimisers, checkpoints that a killed run resumes from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlamaConfig

torch.set_num_threads(2)
HIDDEN, LAYERS, HEADS, KV_HEADS, INNER, CONTEXT = 192, 5, 6, 3, 512, 1024


def llama_config(vocabulary: int, bos: int, eos: int, pad: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=HIDDEN // HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        attn_implementation="eager",
        use_cache=True,
    )


def compiled(module: nn.Module, method: str = "forward") -> None:
    """Compile a module's method where a C++ compiler is at hand: a third more tokens a second on 2 cores."""
    if shutil.which("g++"):
        setattr(module, method, torch.compile(getattr(module, method), dynamic=True))


def optimizers(model: nn.Module, rates: tuple[float, ...]) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, Adam for embeddings and norms, another Adam for heads if there are any."""
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    heads = [p for n, p in named.items() if n.startswith(("regression_layer", "gating", "surprise"))]
    matrices = [p for n, p in named.items() if p.ndim == 2 and n.startswith("model.layers.")]
    taken = {id(p) for p in heads + matrices}
    rest = [p for p in named.values() if id(p) not in taken]
    muon = torch.optim.Muon(matrices, lr=rates[0], weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    adams = [
        torch.optim.AdamW(params, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
        for params, rate in zip((rest, heads), rates[1:], strict=False)
    ]
    return [muon, *adams]


def set_rate(
    opts: list[torch.optim.Optimizer], base: tuple[float, ...], step: int, steps: int, warmup: int, decay: float
) -> None:
    """Warm-up, plateau, then a line down to a fiftieth over the last `decay` share of the steps."""
    left = (steps - step) / max(1.0, decay * steps)
    factor = min(1.0, (step + 1) / warmup, max(0.02, left))
    for opt, rate in zip(opts, base, strict=True):
        for group in opt.param_groups:
            group["lr"] = rate * factor


def save_checkpoint(
    folder: Path, model: nn.Module, opts: list[torch.optim.Optimizer], done: int, seconds: float
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {f"model/{n}": p.detach().contiguous() for n, p in model.named_parameters()}
    for i, opt in enumerate(opts):
        for j, state in opt.state_dict()["state"].items():
            tensors |= {f"opt/{i}/{j}/{k}": v.contiguous() for k, v in state.items()}
    save_file(tensors, folder / "new.safetensors", {"done": json.dumps([done, seconds])})
    (folder / "new.safetensors").replace(folder / "state.safetensors")


def load_checkpoint(folder: Path, model: nn.Module, opts: list[torch.optim.Optimizer]) -> tuple[int, float]:
    """(chunks done, seconds spent); (0, 0.0) where there is nothing to resume."""
    path = folder / "state.safetensors"
    if not path.exists():
        return 0, 0.0
    from safetensors import safe_open

    with safe_open(path, "pt") as f:
        done, seconds = json.loads(f.metadata()["done"])
    tensors = load_file(path)
    with torch.no_grad():
        for n, p in model.named_parameters():
            p.copy_(tensors[f"model/{n}"])
    for i, opt in enumerate(opts):
        saved = opt.state_dict()
        for key, value in tensors.items():
            if key.startswith(f"opt/{i}/"):
                _, _, j, name = key.split("/")
                saved["state"].setdefault(int(j), {})[name] = value
        opt.load_state_dict(saved)
    return int(done), float(seconds)


def padded(rows: list[list[int]], pad: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([r + [pad] * (width - len(r)) for r in rows])
