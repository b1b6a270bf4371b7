"""Small feed-forward heads as checkpoints have them: linear layers in turn, by the numbers in their names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from generation.checkpoint import Tensors
from prompts.errors import UserError
from rewards.backbone import misfit


def network_names(tensors: Tensors, prefix: str) -> list[str]:
    """Names of the layers `prefix`.N in order of N, or `prefix` itself where it is a single layer."""
    if f"{prefix}.weight" in tensors.shapes:
        return [prefix]
    pattern = re.compile(rf"{re.escape(prefix)}\.(\d+)\.(weight|bias)")
    found = (pattern.fullmatch(name) for name in tensors.shapes)
    return [f"{prefix}.{n}" for n in sorted({int(match[1]) for match in found if match})]


def head_names(tensors: Tensors, *prefixes: str) -> set[str]:
    """All tensors of these networks, for the backbone to pass over."""
    return {name for name in tensors.shapes for prefix in prefixes if name.startswith(f"{prefix}.") or name == prefix}


def load_network(
    folder: Path,
    tensors: Tensors,
    prefix: str,
    activation: type[nn.Module],
    *,
    inputs: int,
    outputs: int,
    device: torch.device,
) -> nn.Sequential:
    """The float32 network `prefix` from `inputs` numbers to `outputs`, `activation` between its layers.

    Raises UserError if its layers do not fit into each other, or one has no weight. A layer may be without a bias.
    """
    layers = network_names(tensors, prefix)
    sizes = [tensors.shapes.get(f"{layer}.weight", ()) for layer in layers]
    problems = list(_problems(tensors, prefix, layers, sizes, inputs, outputs))
    if problems:
        raise UserError(misfit(folder, problems))
    names = [name for layer in layers for name in (f"{layer}.weight", f"{layer}.bias") if name in tensors.shapes]
    weights = tensors.load(names, torch.float32, device)
    parts: list[nn.Module] = []
    for layer, (n, m) in zip(layers, sizes, strict=True):
        bias = weights.get(f"{layer}.bias")
        linear = nn.Linear(m, n, bias=bias is not None, device="meta")
        found = {"weight": weights[f"{layer}.weight"]} | ({} if bias is None else {"bias": bias})
        linear.load_state_dict(found, assign=True)
        parts += [linear, activation()]
    return nn.Sequential(*parts[:-1]).eval()


def _problems(
    tensors: Tensors, prefix: str, layers: list[str], sizes: list[tuple[int, ...]], inputs: int, outputs: int
) -> Iterator[str]:
    if not layers:
        yield f"missing: {prefix}.weight"
    for layer, size in zip(layers, sizes, strict=True):
        if len(size) != 2:
            yield (
                f"wrong shape: {layer}.weight is {list(size)}, expected a matrix"
                if size
                else f"missing: {layer}.weight"
            )
        elif tensors.shapes.get(f"{layer}.bias", (size[0],)) != (size[0],):
            yield f"wrong shape: {layer}.bias is {list(tensors.shapes[f'{layer}.bias'])}, expected {[size[0]]}"
    if not layers or any(len(size) != 2 for size in sizes):
        return
    ends = [inputs, *itertools.chain.from_iterable((size[1], size[0]) for size in sizes), outputs]
    for i in range(0, len(ends), 2):
        if ends[i] != ends[i + 1]:
            where = f"{layers[i // 2]}.weight" if i // 2 < len(layers) else f"the end of {prefix}"
            yield f"wrong shape: {where} takes {ends[i + 1]} numbers where {ends[i]} are given"
