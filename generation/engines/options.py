"""The options of vLLM that a recipe may set (policy.engine): which only run, and which move tokens.

What only runs decides how fast and on how much: a changed one makes no new rows. What moves tokens is part of the
sampler's identity. Everything else is refused by name, above all what would run a checkpoint's code, load another model
than the one that was looked at, or change what a log-probability means.
"""

from __future__ import annotations

import difflib
from typing import Any

from prompts.display import plainly
from prompts.errors import UserError

# Each with what its value may be: a type, or the texts there are. vLLM imports any other text that is given for the
# executor, and runs it.
RUNS: dict[str, type | tuple[str, ...]] = {
    "async_scheduling": bool,
    "block_size": int,
    "cpu_offload_gb": float,
    "data_parallel_size": int,
    "disable_custom_all_reduce": bool,
    "distributed_executor_backend": ("mp", "ray", "uni"),
    "enable_chunked_prefill": bool,
    "enable_expert_parallel": bool,
    "enable_prefix_caching": bool,
    "enforce_eager": bool,
    "gpu_memory_utilization": float,
    "kv_cache_memory_bytes": int,
    "max_num_batched_tokens": int,
    "max_num_seqs": int,
    "max_parallel_loading_workers": int,
    "numa_bind": bool,
    "num_gpu_blocks_override": int,
    "optimization_level": int,
    "pipeline_parallel_size": int,
    "safetensors_load_strategy": ("lazy", "eager", "prefetch"),
    "tensor_parallel_size": int,
}
MOVES_TOKENS: dict[str, type | tuple[str, ...]] = {
    "attention_backend": str,
    "disable_sliding_window": bool,
    "kv_cache_dtype": str,
    "quantization": str,
}
OPTIONS = RUNS | MOVES_TOKENS
_WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
WHY_REFUSED = {
    "trust_remote_code": "it would run the checkpoint's own code",
    "logprobs_mode": "it would change what a log-probability means, while the dataset's card says otherwise",
    "model": "policy.model names the model",
    "tokenizer": "the tokenizer is the model's own",
    "tokenizer_mode": "the tokenizer is the model's own",
    "load_format": "only safetensors are read",
    "hf_token": "a secret must not stand in a recipe: set the environment variable HF_TOKEN",
    "revision": "write policy.model = 'OWNER/NAME@REVISION'",
    "dtype": "policy.dtype says it",
    "max_model_len": "policy.max_model_len says it",
    "seed": "sampling.seed says it, for every request",
}


def check_options(options: dict[str, Any]) -> None:
    """Raise `UserError` for an option that a recipe may not set, or for a value of another kind than the option's."""
    for name, value in options.items():
        if name not in OPTIONS:
            why = WHY_REFUSED.get(name, "it is not among the options that are known to be safe")
            near = difflib.get_close_matches(name, OPTIONS, 1, 0.8)
            meant = f" Did you mean {near[0]}?" if near and name not in WHY_REFUSED else ""
            known = ", ".join(sorted(OPTIONS))
            raise UserError(f"policy.engine.{name}: {why}.{meant} Options that may be set: {known}.")
        if not _fits(value, kind := OPTIONS[name]):
            expected = f"one of {', '.join(kind)}" if isinstance(kind, tuple) else _WORDS[kind]
            raise UserError(f"policy.engine.{name} is {plainly(value)}: expected {expected}.")


def _fits(value: Any, kind: type | tuple[str, ...]) -> bool:
    """Numbers are finite and not negative; true and false are none."""
    if isinstance(kind, tuple):
        return isinstance(value, str) and value in kind
    if kind in (int, float):
        number = isinstance(value, int) or (kind is float and isinstance(value, float))
        return number and not isinstance(value, bool) and 0 <= value < float("inf")
    return isinstance(value, kind)


def moving_tokens(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that are part of the sampler's identity."""
    return {name: value for name, value in sorted(options.items()) if name in MOVES_TOKENS}
