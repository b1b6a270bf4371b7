"""Log-probabilities of given tokens under a causal language model, by the packed forward.

Only what is asked for is computed: no padding, a prompt once for all its responses, and the head, which on a small
model is a fifth of the work, at the tokens of responses alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.functional import cross_entropy

from generation.checkpoint import Tensors, check_config, reading, soft_capped
from generation.forward.onednn import GRAIN, PackedLinear, has_onednn
from generation.forward.packing import Row
from generation.forward.reader import Reader
from prompts.errors import UserError

HeadDtype = Literal["float32", "float16"]
HARMLESS = ("rotary_emb.inv_freq", "lm_head.weight")  # what a checkpoint may hold and its model does not ask for
LOGITS = {"cpu": 1 << 23}  # of a step of the head: the widest tensor there is stays small
ALLOWED = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.5}  # nats a token between two ways to compute


class CausalReader:
    """A causal model, loaded from `folder`, that says how likely given tokens are.

    `dtype` is that of the backbone, `head` that of the last product, whose logits are float32 in either case.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        head: HeadDtype = "float32",
        batch_tokens: int | None = None,
    ) -> None:
        self.folder = folder
        self.model = load_causal(folder, dtype, device)
        config = self.model.config
        backbone = getattr(self.model, self.model.base_model_prefix, None)
        if backbone is None or self.model.get_output_embeddings() is None:
            raise UserError(f"{folder}: {type(self.model).__name__} has no backbone with a head that is known here.")
        self.limit: int = config.max_position_embeddings
        self.reader = Reader(backbone, batch_tokens=batch_tokens, pad_id=config.pad_token_id or 0)
        self._head = _Head(self.model, getattr(torch, head))

    @torch.inference_mode()
    def logps(self, rows: Sequence[Row]) -> list[torch.Tensor | None]:
        """For each row the log-probabilities (reads,), float32 on the CPU, of the tokens that follow the places it
        reads; None for a row that does not fit the memory.

        The last token of a row only has to be predicted: it is no input.
        """
        inputs = [Row(row.ids[:-1], row.reads, row.group) for row in rows]
        states = self.reader.read(inputs)
        targets = [torch.tensor([row.ids[place + 1] for place in row.reads]) for row in rows]
        there = [i for i, state in enumerate(states) if state is not None]
        if not there:
            return [None] * len(rows)
        together = torch.cat([state for state in states if state is not None])
        found = self._head(together, torch.cat([targets[i] for i in there]))
        parts = iter(found.split([len(targets[i]) for i in there]))
        return [None if state is None else next(parts) for state in states]

    @torch.inference_mode()
    def check(self, row: Row) -> None:
        """Raise UserError if the log-probabilities of `row` are not those of the model's own forward: what stands
        between hidden states and logits differs between families, and a new one may do what is not known here.
        """
        (found,) = self.logps([row])
        if found is None:
            raise UserError(f"{self.folder}: the memory does not even take a short conversation.")
        ids = torch.tensor([row.ids[:-1]], device=self.reader.device)
        plain = torch.log_softmax(self.model(input_ids=ids, use_cache=False).logits[0].float(), -1).cpu()
        expected = torch.stack([plain[place, row.ids[place + 1]] for place in row.reads])
        worst = float((found - expected).abs().max())
        if not worst <= max(ALLOWED[self.reader.backbone.dtype], ALLOWED[self._head.dtype]):
            raise UserError(
                f"{self.folder}: log-probabilities of {type(self.model).__name__} differ by {worst:.2g} a token from "
                "the model's own forward, more than rounding explains. Its family is not known here: do not use them."
            )


class _Head:
    """From hidden states to log-probabilities: the product with the vocabulary, and what some families add to it."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        config, linear = model.config, model.get_output_embeddings()
        self.device = model.device
        # A multiple of what oneDNN has few sizes of.
        self.chunk = max(GRAIN, LOGITS.get(model.device.type, 1 << 27) // config.vocab_size // GRAIN * GRAIN)
        self.cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2 and 3
        # Cohere multiplies, Granite divides.
        self.scale = float(getattr(config, "logit_scale", None) or 1) / float(
            getattr(config, "logits_scaling", None) or 1
        )
        self.dtype = dtype
        if dtype == torch.float32 == model.dtype and model.device.type == "cpu" and has_onednn():
            packed = PackedLinear(linear)
            model.set_output_embeddings(packed)
            self.linear: Any = packed
            return
        weight, bias = linear.weight.detach().to(dtype), None if linear.bias is None else linear.bias.detach().to(dtype)
        self.linear = lambda x: torch.nn.functional.linear(x, weight, bias)

    def __call__(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (tokens,) on the CPU of `targets` (tokens,) after hidden states (tokens, hidden)."""
        found, n = [], len(targets)
        rest = -n % GRAIN if self.device.type == "cpu" else 0
        states, targets = torch.nn.functional.pad(states, (0, 0, 0, rest)), torch.nn.functional.pad(targets, (0, rest))
        for part, wanted in zip(states.split(self.chunk), targets.split(self.chunk), strict=True):
            logits = self.linear(part.to(self.dtype)).float() * self.scale
            if self.cap:
                logits = torch.tanh(logits / self.cap) * self.cap
            found.append(-cross_entropy(logits, wanted.to(self.device), reduction="none"))
        return torch.cat(found)[:n].cpu()


def load_causal(folder: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """The causal language model in `folder`, every weight of it from the files. Raises UserError."""
    from transformers import AutoConfig, AutoModelForCausalLM

    check_config(folder, required=("max_position_embeddings",))
    tensors = Tensors(folder)  # refuses pickled and incomplete checkpoints before transformers sees them
    with reading(folder, "a causal language model"):
        with torch.device("meta"):  # nothing is allocated before the sizes are those of the weights
            sizes = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(str(folder)))
        expected = sum(tensor.numel() for tensor in sizes.state_dict().values())
        if expected > 3 * (there := sum(math.prod(shape) for shape in tensors.shapes.values())):
            raise UserError(
                f"{folder}: config.json describes a model of {expected:,} parameters, and the weights have {there:,}. "
                "Fetch the complete checkpoint, or correct config.json."
            )
        model, info = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation="eager" if soft_capped(folder) else "sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    found = {
        "missing": info["missing_keys"],
        "not expected": [key for key in info["unexpected_keys"] if not key.endswith(HARMLESS)],
        "wrong shape": [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]],
    }
    problems = [f"{label}: {', '.join(sorted(keys)[:8])}" for label, keys in found.items() if keys]
    if problems:
        raise UserError(
            f"{folder}: the weights do not fit the model that config.json describes. {'; '.join(problems)}. "
            "Fetch the complete checkpoint, or correct config.json."
        )
    return model.to(device).eval()
