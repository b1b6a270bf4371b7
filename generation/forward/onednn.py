"""Float32 matrix products on a processor (not a GPU) by oneDNN.

PyTorch gives float32 products to MKL on x86, which keeps off AVX-512 on processors that are not Intel's and moves the
weights into its own order at every call. oneDNN, which is in every PyTorch build for x86, does neither, with the same
float32 arithmetic. (In bfloat16, and on other processors, PyTorch takes oneDNN by itself.)
"""

from __future__ import annotations

import functools
import platform
from typing import Any

import torch
from torch import nn

GRAIN = 16  # oneDNN compiles for every number of tokens anew: let there be few, multiples of this


def pack_linears(backbone: Any) -> None:
    """Replace, in place, the linear layers of a float32 backbone by equal ones of oneDNN, where PyTorch has it.

    One by one, so that no more than one weight is in memory twice.
    """
    if backbone.dtype == torch.float32 and has_onednn():
        for module in list(backbone.modules()):
            for name, child in module.named_children():
                if type(child) is nn.Linear:
                    setattr(module, name, PackedLinear(child))


@functools.cache
def has_onednn() -> bool:
    """Whether this PyTorch has these products for this processor."""
    known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight") and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return known and torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a b^T, float32, of a (m, k) and b (n, k), each contiguous or the transpose of what is: others are very slow."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return found


class PackedLinear(nn.Module):
    """A float32 linear layer whose weight lies in oneDNN's order; the layer it is made of loses its own."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = linear.bias
        del linear.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return found
