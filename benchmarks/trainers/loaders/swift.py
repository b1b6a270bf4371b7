"""ms-swift 4.6.0, `swift rlhf --rlhf_type dpo|simpo`: the form `swift`, its template llama3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_LENGTH = 4_096


def pairs(data: Path, policy: Path) -> Iterator[Any]:
    """load_dataset, and the template in mode rlhf with the loss scale of its DPO; labels of -100 are not trained."""
    from swift.dataset import load_dataset
    from swift.model import get_processor
    from swift.template import get_template

    processor = get_processor(str(policy), model_type="llama")
    template = get_template(processor, template_type="llama3", loss_scale="last_round", max_length=MAX_LENGTH)
    template.set_mode("rlhf")
    rows, _ = load_dataset(str(data), load_from_cache_file=False)
    for row in rows:
        encoded = template.encode(dict(row))
        yield tuple(
            (encoded[f"{side}_input_ids"], [label != -100 for label in encoded[f"{side}_labels"]])
            for side in ("chosen", "rejected")
        )
