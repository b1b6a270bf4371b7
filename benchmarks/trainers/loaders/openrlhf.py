"""OpenRLHF 0.11.2, train_dpo with --data.apply_chat_template and no --data.prompt_key: whole conversations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MAX_LENGTH = 4_096  # --data.max_len is 512 unless set


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """As openrlhf.cli.train_dpo does it; its trainer's loss leaves out the first `n_prompt` tokens of a sequence."""
    from openrlhf.datasets import RewardDataset
    from openrlhf.datasets.utils import blending_datasets
    from transformers import AutoTokenizer

    options = SimpleNamespace(
        prompt_key=None,
        chosen_key="chosen",
        rejected_key="rejected",
        apply_chat_template=True,
        tokenizer_chat_template=None,
    )
    strategy = SimpleNamespace(args=SimpleNamespace(data=options, use_ms=False), print=print, is_rank_0=lambda: True)
    tokenizer = AutoTokenizer.from_pretrained(policy)
    rows = blending_datasets(str(data), None, strategy, seed=0, dataset_split="train")
    dataset = RewardDataset(rows, tokenizer, MAX_LENGTH, strategy, is_dpo=True, num_processors=1)
    for i in range(len(dataset)):
        chosen, chosen_mask, rejected, rejected_mask, n_prompt = dataset[i]
        yield (_tokens(chosen, chosen_mask, n_prompt), _tokens(rejected, rejected_mask, n_prompt))


def _tokens(ids: Any, mask: Any, n_prompt: int) -> tuple[list[int], list[bool]]:
    attended = mask[0].bool().tolist()
    return ids[0].tolist(), [i >= n_prompt and one for i, one in enumerate(attended)]
