"""vLLM in process: AsyncLLM, because its death raises at once where the synchronous LLM can wait for ever."""

from __future__ import annotations

import itertools
import os
from typing import Any, get_args

from generation.device import has_gpu
from generation.engine import Completion, EngineDied, EngineFailed, FinishReason, Request, RequestRefused
from generation.engines.lifeline import mark_program
from generation.engines.options import check_options
from prompts.errors import UserError

# What vLLM reads at import. Each is a default: what the user has set stays.
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore::FutureWarning,ignore:resource_tracker:UserWarning",
}
CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one child process instead of two, half the start time
    "TORCH_COMPILE_DISABLE": "1",  # else log-probabilities compile a C++ kernel on the first call
    "OMP_WAIT_POLICY": "passive",  # spinning threads starve a machine that does anything else
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TORCH_LOGS": "-torch._library",  # else it says at every start that there is no Triton on a CPU
}
CPU_KV_TOKENS = 32_768  # tokens of KV cache on a CPU; more is preempted and computed again, which is slow but right


class VllmEngine:
    """The policy `model` (folder or Hub name) in vLLM.

    Log-probabilities are vLLM's `raw_logprobs`: before temperature, top-p and logit bias. Per-request seeds crash
    vLLM's CPU worker when a prefill is split over steps, so chunked prefill is off there.

    `options` are passed to vLLM's engine arguments (generation.engines.options says which there may be); nothing here
    can be overruled by them that decides what is loaded or what a log-probability means.

    `stop` is a token that ends a response beside those that the checkpoint names (generation.turns.missing_stop). It is
    in a completion's token ids and log-probability and not in its text, like the others.
    """

    def __init__(
        self, model: str, *, dtype: str, max_model_len: int | None, options: dict[str, Any], stop: int | None = None
    ) -> None:
        self._model = model
        self._dtype = dtype
        self._max_model_len = max_model_len
        self._options = options
        self._stop = [] if stop is None else [stop]
        self._llm: Any = None
        self._request_ids = itertools.count()
        self.context_length = 0
        self.description: dict[str, Any] = {}

    async def start(self) -> None:
        for name, value in (ENVIRONMENT | (CPU_ENVIRONMENT if not has_gpu() else {})).items():
            os.environ.setdefault(name, value)
        mark_program()
        try:
            import vllm
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise UserError(
                f"vLLM is not installed ({error}). Run `make setup`, or install evolve-select[cpu] or [gpu]."
            ) from error
        try:
            args = AsyncEngineArgs(**self._arguments(cpu=vllm.platforms.current_platform.is_cpu()))
            config = args.create_engine_config()
            self._llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        except UserError:
            raise
        except Exception as error:  # to damaged or unknown checkpoints it answers with errors of every kind
            raise UserError(
                f"vLLM could not load the policy {self._model!r}: {type(error).__name__}: {error}. "
                "Check policy.model (folder or Hub name), policy.dtype and policy.max_model_len; "
                "on a full GPU lower policy.engine.gpu_memory_utilization (it makes no new rows)."
            ) from error
        self.context_length = config.model_config.max_model_len
        self.description = {
            "engine": "vllm",
            "version": vllm.__version__,
            "device": vllm.platforms.current_platform.device_type,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "logprobs_mode": config.model_config.logprobs_mode,
            "context_length": self.context_length,
            "seeds": "per request",
        }
        if self._stop:
            self.description["stops_also_at"] = self._stop

    def _arguments(self, cpu: bool) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self._model,
            "dtype": self._dtype if self._dtype != "auto" or not cpu else "float32",
            "max_model_len": self._max_model_len,
            "logprobs_mode": "raw_logprobs",
            "max_logprobs": 1,
            "use_tqdm_on_load": False,
        }
        if cpu:
            length = self._max_model_len or _context_of(self._model)
            arguments |= {
                "enforce_eager": True,
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(4096, length),
                "kv_cache_memory_bytes": _kv_bytes(self._model, max(CPU_KV_TOKENS, length)),
            }
        check_options(self._options)
        return arguments | self._options

    async def complete(self, request: Request) -> list[Completion]:
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        if self._llm is None:
            raise EngineDied("the engine is not started")
        sampling = SamplingParams(
            n=request.n,
            seed=request.seed,
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            stop_token_ids=self._stop,
            logprobs=0,
            flat_logprobs=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt = {"prompt_token_ids": request.prompt_token_ids}
        outputs: dict[int, Any] = {}
        try:
            async for output in self._llm.generate(prompt, sampling, str(next(self._request_ids))):
                outputs.update((one.index, one) for one in output.outputs)
        except EngineDeadError as error:
            raise EngineDied(str(error)) from error
        except VLLMClientError as error:
            raise RequestRefused(str(error)) from error
        return [_completion(outputs[i]) for i in range(request.n)]

    async def close(self) -> None:
        if self._llm is not None:
            # On a CPU there is no device to leave tidy, and vLLM's process takes seconds to leave by itself.
            self._llm.shutdown(timeout=0.2 if self.description["device"] == "cpu" else None)
            self._llm = None


def _completion(output: Any) -> Completion:
    if output.finish_reason not in get_args(FinishReason):  # abort, error: it says nothing about the prompt
        raise EngineFailed(f"vLLM ended a request with the reason {output.finish_reason!r}")
    reason: FinishReason = output.finish_reason
    flat = output.logprobs  # of each position the sampled token comes first
    logps = tuple(flat.logprobs[start] for start in flat.start_indices) if flat is not None else ()
    return Completion(output.text, tuple(output.token_ids), float(output.cumulative_logprob), reason, logps)


def _context_of(model: str) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(model).get_text_config().max_position_embeddings)


def _kv_bytes(model: str, tokens: int) -> int:
    """Bytes of the float32 KV cache of `tokens` tokens. vLLM touches all of it at start: not the whole memory then."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model).get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * 4 * tokens)
