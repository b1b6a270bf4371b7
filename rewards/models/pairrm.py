"""PairRM (Jiang et al. 2023, arXiv 2306.02561): a DeBERTa-v3 that reads a prompt with two responses and says which is
better.

The checkpoint is the Hugging Face layout, llm-blender/PairRM-hf: `pretrained_model.*` (DebertaV2Model) and
`head_layer.1`, `head_layer.4`; config.json names the ids of the prefix tokens. One input is

    [CLS] <|source|> prompt [SEP]  [CLS] <|candidate1|> response i [SEP]  [CLS] <|candidate2|> response j [SEP]

and, with s, a, b the last hidden states at the three prefix tokens and h the head (linear, tanh, linear),

    C_ij = mean over tasks of h(s, a) - h(s, b)        score_i = mean over j of (C_ij - C_ji), C_ii = 0

over all ordered pairs of a prompt's responses. Such a score ranks the responses of one prompt; it does not compare
across prompts. Limits: the prompt takes at most 1224 tokens, and each response half of what the prompt leaves of
2048, control tokens included. The released code cuts silently; here what does not fit has the error "too_long" and
takes no part in the comparisons, unless `compat=True`, which cuts as the released code does (and parses special
strings in texts).

The prompt is the bare text of its user turn, after a system message and a line break if there is one (as the released
code puts instructions before inputs). A conversation of several turns has the error "template_refused".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generation.checkpoint import Tensors, check_layout, read_json
from generation.forward.packing import Row
from rewards.checkpoint_model import CheckpointModel
from rewards.pair_text import PairInput, PairText
from rewards.protocol import Group, Kind, Score


class PairRM(CheckpointModel):
    """A loaded PairRM checkpoint."""

    kind: Kind = "pairwise"
    comparable_across_prompts = False

    def prepare(self, device: torch.device) -> Any:
        self.text = PairText(self.folder, compat=self.compat)
        self.text.load()
        backbone, self.head = _load(self.folder, self.dtype, device)
        return backbone

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response against the others of its group. Errors of a row: "too_long", "template_refused",
        "special_strings", "out_of_memory", and "no_comparison" where it is the only one that can be read."""
        texts = [self.text.texts(group) for group in groups]
        rows = [row for group in texts for row in _pairs(group)]
        states = iter(self.reader.read(rows))
        return [self._group([next(states) for _ in _pairs(group)], group) for group in texts]

    def _group(self, states: list[torch.Tensor | None], texts: list[PairInput | str]) -> list[Score]:
        readable = [i for i, text in enumerate(texts) if isinstance(text, PairInput)]
        scores = [Score(float("nan"), error=text if isinstance(text, str) else "no_comparison") for text in texts]
        if any(state is None for state in states):
            return [
                score if score.error != "no_comparison" else Score(float("nan"), error="out_of_memory")
                for score in scores
            ]
        if len(readable) < 2:
            return scores
        logits = self.compare(torch.stack([state for state in states if state is not None]))
        comparison = torch.zeros(len(texts), len(texts), dtype=logits.dtype)
        for (i, j), logit in zip(permutations(readable, 2), logits.cpu(), strict=True):
            comparison[i, j] = logit
        means = (comparison - comparison.T).sum(1) / len(readable)
        for i in readable:
            scores[i] = Score(float(means[i]))
        return scores

    @torch.inference_mode()
    def compare(self, states: torch.Tensor) -> torch.Tensor:
        """C_ij (pairs,) from float32 states (pairs, 3, hidden) at the prefix tokens of prompt, first and second."""
        source, first, second = states.unbind(1)
        return (self.head(torch.cat([source, first], 1)) - self.head(torch.cat([source, second], 1))).mean(1)


def _pairs(texts: Sequence[PairInput | str]) -> list[Row]:
    """Rows of all ordered pairs of the readable texts, in the order of itertools.permutations, read at the three
    prefixes.
    """
    rows = []
    for a, b in permutations([text for text in texts if isinstance(text, PairInput)], 2):
        ids = a.source + a.first + b.second
        rows.append(Row(ids, (1, len(a.source) + 1, len(a.source) + len(a.first) + 1)))
    return rows


def _load(folder: Path, dtype: torch.dtype, device: torch.device) -> tuple[Any, nn.Sequential]:
    """Backbone and float32 head with every weight of the checkpoint in its place, or a UserError."""
    from transformers import DebertaV2Config, DebertaV2Model

    config = DebertaV2Config.from_pretrained(str(folder))
    n_tasks = int(read_json(folder, "config.json").get("n_tasks", 1))
    with torch.device("meta"):  # nothing is allocated before the sizes are those of the weights
        backbone, head = DebertaV2Model(config), _head(config.hidden_size, n_tasks)
    tensors = Tensors(folder)
    body_shapes = {f"pretrained_model.{name}": tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    head_shapes = {f"head_layer.{name}": tuple(tensor.shape) for name, tensor in head.state_dict().items()}
    check_layout(folder, tensors.shapes, body_shapes | head_shapes)
    backbone, head = DebertaV2Model(config), _head(config.hidden_size, n_tasks)
    body = tensors.load(body_shapes, dtype, torch.device("cpu"))
    backbone.load_state_dict(
        {name.removeprefix("pretrained_model."): tensor for name, tensor in body.items()}, assign=True
    )
    weights = tensors.load(head_shapes, torch.float32, torch.device("cpu"))
    head.load_state_dict({name.removeprefix("head_layer."): tensor for name, tensor in weights.items()})
    return backbone.to(device).eval(), head.to(device).eval()


def _head(hidden: int, n_tasks: int) -> nn.Sequential:
    """Indices as in the released Sequential, whose entries 0 and 3 are dropout."""
    return nn.Sequential(
        nn.Identity(), nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Identity(), nn.Linear(hidden, n_tasks)
    )
