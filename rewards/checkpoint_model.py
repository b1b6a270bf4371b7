"""What the reward models with a checkpoint of their own share: how they are made, and how they read conversations."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from generation.forward.packing import Row
from generation.forward.reader import Layout, Reader
from prompts import Message
from rewards.limits import load_chat
from rewards.protocol import Group, Kind, Score


class CheckpointModel:
    """A backbone with a head of its own, loaded from `folder`; `rewards.load` documents the arguments.

    A subclass says in `prepare` how its weights are loaded.
    """

    kind: Kind = "scalar"
    comparable_across_prompts = True
    objective_names: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        dtype: torch.dtype,
        device: torch.device,
        batch_tokens: int | None = None,
        compat: bool = False,
        layout: Layout = "shared",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """`arguments` are what a chat template is given beside conversations, where one is read."""
        self.folder, self.name, self.dtype, self.compat = folder, name, dtype, compat
        self.heads_on = self.head_device(device)
        if device.type == "meta":
            layout = "padded"  # a packed row calls the parts of layers, which accelerate does not bring to their device
        backbone = self.prepare(device)
        config = backbone.config.get_text_config()
        self.limit: int = config.max_position_embeddings
        self.pad_id: int | None = getattr(config, "pad_token_id", None)
        self.reader = Reader(backbone, batch_tokens=batch_tokens, pad_id=self.pad_id or 0, layout=layout)

    @staticmethod
    def head_device(device: torch.device) -> torch.device:
        """Where a head goes: with the backbone, or to the processor where that is spread over several GPUs."""
        return torch.device("cpu") if device.type == "meta" else device

    @abstractmethod
    def prepare(self, device: torch.device) -> Any:
        """Load backbone and head onto `device`, keep the head and what texts are read with, return the backbone."""


class ConversationModel(CheckpointModel):
    """A reward model that reads a conversation as its chat template writes it."""

    def __init__(self, folder: Path, **how: Any) -> None:
        arguments = how.pop("arguments", None)
        self.chat = load_chat(folder, compat=how.get("compat", False), arguments=arguments)
        super().__init__(folder, **how)

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        """Score of every response. Errors of a row: "too_long", "template_refused", "special_strings" (only with
        tokenizers that can't keep them as text), "not_finite", "out_of_memory", and those of `row`.
        """
        rows = [self.rows(group, number) for number, group in enumerate(groups)]
        return score_rows(self.reader, rows, lambda states: self.scores(states.to(self.heads_on)))

    def rows(self, group: Group, number: int = 0) -> list[Row | str]:
        """What the backbone is to read for each response: ids and the positions to read; or the error."""
        conversations = [[*group.messages, Message(role="assistant", content=text)] for text in group.responses]
        prompt = self.prompt_ids(group.messages)
        return [
            ids if isinstance(ids, str) else "too_long" if len(ids) > self.limit else self.row(ids, prompt, number)
            for ids in self.chat.encode(conversations)
        ]

    def prompt_ids(self, messages: Sequence[Message]) -> list[int] | str:
        """Ids of the prompt up to where a response begins, where `row` needs them; or the error."""
        return []

    @abstractmethod
    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Where the backbone is read for a conversation of group `number`; or the error."""

    @abstractmethod
    def scores(self, states: torch.Tensor) -> list[Score]:
        """Scores from float32 states (rows, reads, hidden)."""


def last_token(ids: list[int], pad_id: int | None) -> int:
    """Where the last token is; with a `pad_id` the one before its first occurrence, as released code reads it (the last
    again where the row begins with it).
    """
    return (ids.index(pad_id) - 1) % len(ids) if pad_id in ids else len(ids) - 1


def score_rows(
    reader: Reader, groups: Sequence[Sequence[Row | str]], head: Callable[[torch.Tensor], list[Score]]
) -> list[list[Score]]:
    """Scores in the shape of `groups`: of each row `head` of its hidden states (rows, reads, hidden), or its error.

    Equal rows of a group are read once: the same text has the same score to the bit, wherever it lies in a batch.
    """
    scores = [
        [Score(float("nan"), error=row if isinstance(row, str) else "out_of_memory") for row in group]
        for group in groups
    ]
    places: dict[tuple[int, tuple[int, ...], tuple[int, ...]], list[int]] = {}
    rows: list[Row] = []
    for g, group in enumerate(groups):
        for n, row in enumerate(group):
            if isinstance(row, Row):
                alike = places.setdefault((g, tuple(row.ids), row.reads), [])
                alike.append(n)
                rows += [row] if len(alike) == 1 else []
    states = reader.read(rows)
    read = [(place, state) for place, state in zip(places.items(), states, strict=True) if state is not None]
    if read:
        for (((g, *_), alike), _), score in zip(read, head(torch.stack([state for _, state in read])), strict=True):
            for n in alike:
                scores[g][n] = score if math.isfinite(score.score) else Score(float("nan"), error="not_finite")
    return scores
