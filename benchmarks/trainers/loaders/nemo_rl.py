"""NeMo-RL 7ea279ab, run_dpo with dataset_name PreferenceDataset. No index has it: NEMO_RL names a checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_LENGTH = 4_096


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """setup_preference_data, and the collator that its DPO takes, a row at a time; token_mask says what is trained."""
    if not os.environ.get("NEMO_RL"):
        raise SystemExit("NEMO_RL is not set: let it name a checkout of NeMo-RL, which has the folder nemo_rl.")
    sys.path.append(os.environ["NEMO_RL"])
    from nemo_rl.data.collate_fn import preference_collate_fn
    from nemo_rl.data.utils import setup_preference_data
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    train = {"dataset_name": "PreferenceDataset", "data_path": str(data), "split": "train"}
    dataset, _ = setup_preference_data(tokenizer, {"train": train, "max_input_seq_length": MAX_LENGTH})
    for i in range(len(dataset)):
        batch = preference_collate_fn([dataset[i]], tokenizer, make_sequence_length_divisible_by=1, add_loss_mask=True)
        lengths = batch["input_lengths"].tolist()
        rows = zip(batch["input_ids"], batch["token_mask"], lengths, strict=True)
        yield tuple((ids[:n].tolist(), mask[:n].bool().tolist()) for ids, mask, n in rows)
