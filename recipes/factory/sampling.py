"""Answers of a trained policy, sampled by vLLM on the CPU as the default recipe does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from recipes.factory.world.instruction import Messages

for _name, _value in {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "TORCH_COMPILE_DISABLE": "1",
    "OMP_WAIT_POLICY": "passive",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}.items():
    os.environ.setdefault(_name, _value)


@dataclass(frozen=True)
class Sample:
    """A response, whether it ended its turn by itself, and its length in tokens."""

    text: str
    ended: bool
    n_tokens: int


class Sampler:
    def __init__(self, folder: Path, max_tokens: int = 160) -> None:
        from vllm import LLM

        self.max_tokens = max_tokens
        self.llm = LLM(
            str(folder),
            dtype="float32",
            max_model_len=1024,
            enforce_eager=True,
            kv_cache_memory_bytes=128 << 20,
            enable_chunked_prefill=False,
            max_num_batched_tokens=4096,
        )

    def sample(self, prompts: list[Messages], n: int, seed: int = 0, temperature: float = 0.8) -> list[list[Sample]]:
        from vllm import SamplingParams

        tokenizer = self.llm.get_tokenizer()
        ids = [tokenizer.apply_chat_template(p, add_generation_prompt=True, return_dict=False) for p in prompts]
        how = [
            SamplingParams(n=n, temperature=temperature, top_p=0.95, max_tokens=self.max_tokens, seed=seed + 1000 * i)
            for i in range(len(ids))
        ]
        outputs = self.llm.generate([{"prompt_token_ids": i} for i in ids], how, use_tqdm=False)
        return [[Sample(o.text, o.finish_reason == "stop", len(o.token_ids)) for o in out.outputs] for out in outputs]
