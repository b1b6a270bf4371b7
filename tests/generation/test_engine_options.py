"""What a recipe may tell vLLM: nothing that loads something else, runs code or changes what a column means."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evolve.recipe.sections import Policy
from generation.engine import Completion
from generation.engines.options import MOVES_TOKENS, OPTIONS, RUNS, check_options, moving_tokens
from prompts.errors import UserError

REFUSED = [
    "trust_remote_code",
    "logprobs_mode",
    "max_logprobs",
    "model",
    "tokenizer",
    "load_format",
    "download_dir",
    "hf_token",
    "hf_overrides",
    "hf_config_path",
    "generation_config",
    "override_generation_config",
    "worker_cls",
    "worker_extension_cls",
    "scheduler_cls",
    "logits_processors",
    "speculative_config",
    "enable_lora",
    "revision",
    "seed",
    "dtype",
    "max_model_len",
]


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused_by_name_with_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match=rf"policy\.engine\.{name}: .*gpu_memory_utilization"):
        Policy(model="owner/name", engine={name: True})


@pytest.mark.parametrize("value", ["os.system", "my_module.Executor", "external_launcher", "", 1, ["mp"]])
def test_the_executor_is_one_that_vllm_has(value: Any) -> None:
    """vLLM imports any other text as a class, and runs it."""
    with pytest.raises(UserError, match=r"distributed_executor_backend .*expected one of mp, ray, uni"):
        check_options({"distributed_executor_backend": value})


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_value_of_another_kind_is_told_before_vllm_is_started(name: str) -> None:
    for value in ([1], {"a": 1}, None, math.nan, math.inf, -1):
        with pytest.raises(UserError, match=rf"policy\.engine\.{name} is .*expected"):
            check_options({name: value})


def test_a_number_is_no_truth_and_a_truth_no_number() -> None:
    for name, value in {"tensor_parallel_size": True, "enforce_eager": 1, "max_num_seqs": 2.5}.items():
        with pytest.raises(UserError, match=f"policy.engine.{name} is"):
            check_options({name: value})
    check_options({"gpu_memory_utilization": 1, "cpu_offload_gb": 0.5, "tensor_parallel_size": 8})


def test_a_slip_of_the_pen_gets_the_name_that_was_meant() -> None:
    with pytest.raises(UserError, match="Did you mean gpu_memory_utilization"):
        check_options({"gpu_memory_utilisation": 0.8})


def test_only_what_moves_tokens_is_part_of_the_identity() -> None:
    assert not RUNS.keys() & MOVES_TOKENS.keys()
    options = {"tensor_parallel_size": 8, "quantization": "fp8", "gpu_memory_utilization": 0.5}
    assert moving_tokens(options) == {"quantization": "fp8"}


@pytest.mark.engine
def test_each_option_is_one_of_vllm() -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs

    assert OPTIONS.keys() <= AsyncEngineArgs.__dataclass_fields__.keys()


@pytest.mark.engine
def test_only_a_machines_fault_is_owed() -> None:
    """A response that was cut, for its length or since it went round in circles, is the policy's answer."""
    from vllm.outputs import CompletionOutput

    from generation.engine import EngineFailed
    from generation.engines.vllm import _completion

    def ended(reason: str | None) -> Completion:
        return _completion(CompletionOutput(0, "a a a", [1, 1, 1], -3.0, None, finish_reason=reason))

    for reason in ("stop", "length", "repetition"):
        assert ended(reason).finish_reason == reason
    for reason in ("abort", "error", None):
        with pytest.raises(EngineFailed):
            ended(reason)
