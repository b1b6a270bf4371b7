"""Training with TRL on a grown dataset teaches the policy what the pairs say; swapped pairs teach the contrary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grown_runs import POLICY, Grown

pytestmark = pytest.mark.engine

N_PAIRS = 24
SETTINGS: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "learning_rate": 1e-4,
    "max_steps": 5,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "logging_strategy": "no",
    "save_strategy": "no",
    "report_to": [],
    "disable_tqdm": True,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of a busy machine wait for each other; the policy is small enough for one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def simpo(**made_of: Any) -> Any:
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    out = made_of.pop("output_dir")
    config = CPOConfig(
        output_dir=out, loss_type="simpo", cpo_alpha=0.0, beta=2.0, simpo_gamma=1.0, max_length=512, **SETTINGS
    )
    return CPOTrainer(args=config, **made_of)


def dpo(**made_of: Any) -> Any:
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(output_dir=made_of.pop("output_dir"), beta=0.1, max_length=512, **SETTINGS)
    return DPOTrainer(args=config, **made_of)


def swapped(pairs: Any) -> Any:
    renamed = pairs.rename_columns({"chosen": "worse", "rejected": "better"})
    return renamed.rename_columns({"better": "chosen", "worse": "rejected"})


@pytest.mark.parametrize("trainer", [simpo, dpo])
def test_training_lowers_the_evaluated_loss_and_on_swapped_pairs_raises_it(
    trainer: Any, grown: Grown, tmp_path: Path
) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    columns, rows = ("prompt", "chosen", "rejected"), grown.train[:N_PAIRS]
    pairs = Dataset.from_list([{name: row[name] for name in columns} for row in rows])
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    found = {}
    for name, train in (("as it is", pairs), ("swapped", swapped(pairs))):
        training = trainer(
            model=AutoModelForCausalLM.from_pretrained(POLICY, dtype="float32"),
            train_dataset=train,
            eval_dataset=pairs,
            processing_class=tokenizer,
            output_dir=str(tmp_path / name),
        )
        if "before" not in found:
            found["before"] = training.evaluate()
        training.train()
        found[name] = training.evaluate()
    for figure, better in (("eval_loss", -1), ("eval_rewards/margins", 1)):
        before, after, contrary = (better * found[one][figure] for one in ("before", "as it is", "swapped"))
        assert after > before > contrary, figure
