"""oumi 0.9, `text_dpo_jsonl` with trainer TRL_DPO: texts with the policy's template put on already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """Its dataset gives ids of prompt, chosen and rejected; TRL joins them and trains what is not the prompt."""
    import oumi.datasets  # noqa: F401  (the registry of data sets; in another order its imports go in a circle)
    from oumi.datasets.preference_tuning.dpo_jsonlines import TextDpoJsonlinesDataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    dataset = TextDpoJsonlinesDataset(dataset_path=str(data), tokenizer=tokenizer)
    for i in range(len(dataset)):
        row = dataset[i]
        prompt, chosen, rejected = (
            list(row[f"{name}_ids"] if f"{name}_ids" in row else row[f"{name}_input_ids"])
            for name in ("prompt", "chosen", "rejected")
        )
        yield tuple((prompt + side, [False] * len(prompt) + [True] * len(side)) for side in (chosen, rejected))
