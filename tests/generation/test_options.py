"""Options of the engine that could run code are refused, whatever way they take."""

from __future__ import annotations

from typing import Any

import pytest

from generation.engines.options import check_options
from prompts.errors import UserError


@pytest.mark.parametrize(
    "options",
    [
        {"trust_remote_code": True},
        {"logprobs_mode": "processed_logprobs"},
        {"tokenizer": "other"},
        {"load_format": "pt"},
        {"hf_overrides": {"architectures": ["X"]}},
        {"worker_cls": "os.system"},
        {"distributed_executor_backend": "os.system"},
        {"distributed_executor_backend": ["mp"]},
        {"gpu_memory_utilization": [0.5]},
    ],
)
def test_what_could_act_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"policy.engine.{next(iter(options))}"):
        check_options(options)


def test_what_only_runs_is_taken() -> None:
    check_options({"distributed_executor_backend": "mp", "tensor_parallel_size": 8, "quantization": "fp8"})
