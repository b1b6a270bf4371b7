"""The options of vLLM that a recipe may set (policy.engine): which only run, and which move tokens.

What only runs decides how fast and on how much: a changed one makes no new rows. What moves tokens is part of the
sampler's identity. Everything else is refused by name, above all what would run a checkpoint's code, load another model
than the one that was looked at, or change what a log-probability means.
"""

from __future__ import annotations

from typing import Any

from prompts.errors import UserError

RUNS = frozenset(
    {
        "async_scheduling",
        "block_size",
        "cpu_offload_gb",
        "data_parallel_size",
        "disable_custom_all_reduce",
        "distributed_executor_backend",
        "enable_chunked_prefill",
        "enable_expert_parallel",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_num_batched_tokens",
        "max_num_seqs",
        "max_parallel_loading_workers",
        "numa_bind",
        "num_gpu_blocks_override",
        "optimization_level",
        "pipeline_parallel_size",
        "safetensors_load_strategy",
        "tensor_parallel_size",
    }
)
MOVES_TOKENS = frozenset({"attention_backend", "disable_sliding_window", "kv_cache_dtype", "quantization"})
BACKEND, BACKENDS = "distributed_executor_backend", ("mp", "ray", "uni")
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
    """Raise `UserError` for an option that a recipe may not set, or for a value that is no plain one."""
    for name, value in options.items():
        if name not in RUNS | MOVES_TOKENS:
            why = WHY_REFUSED.get(name, "it is not among the options that are known to be safe")
            raise UserError(
                f"policy.engine.{name}: {why}. Options that may be set: {', '.join(sorted(RUNS | MOVES_TOKENS))}."
            )
        if name == BACKEND and value not in BACKENDS:  # vLLM imports any other text as a class, and runs it
            raise UserError(f"policy.engine.{name}: expected one of {', '.join(BACKENDS)}.")
        if not isinstance(value, bool | int | float | str):
            raise UserError(
                f"policy.engine.{name} is a {type(value).__name__}: expected a number, true or false, or a text."
            )


def moving_tokens(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that are part of the sampler's identity."""
    return {name: value for name, value in sorted(options.items()) if name in MOVES_TOKENS}
