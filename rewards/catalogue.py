"""Reward models that people use: what each is, as far as it is known without its weights.

Figures of RewardBench 2 and licences of Skywork-Reward-V2 are from the README of SkyworkAI/Skywork-Reward-V2 at
4f380f4; layouts from reward-bench at 05a9005. A licence is the backbone's where no more is known: the model's card
decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewards.objectives import ARMORM, HELPSTEER2
from rewards.protocol import Kind

LLAMA3, LLAMA31, LLAMA32 = (f"Llama {version} Community License" for version in ("3", "3.1", "3.2"))
CARD = "read its card"


@dataclass(frozen=True)
class Known:
    """A reward model by its Hub name, or the form of a name.

    `context` is the most tokens that it was trained for, or reads where that is not told (None: see its config.json).
    `dtype` is the recommended precision of the backbone on a GPU; heads are float32 always.
    """

    name: str
    layout: str
    kind: Kind
    licence: str
    context: int | None = None
    objectives: int = 0
    rewardbench2: float | None = None
    dtype: str = "bfloat16"
    note: str = ""

    @property
    def comparable(self) -> bool:
        """Whether its scores compare across prompts."""
        return self.kind != "pairwise"


def _skywork(base: str, licence: str, rewardbench2: float, note: str = "") -> Known:
    name = f"Skywork/Skywork-Reward-V2-{base}"
    return Known(name, "scalar", "scalar", licence, 16_384, rewardbench2=rewardbench2, note=note)


CATALOGUE = (
    Known("RLHFlow/ArmoRM-Llama3-8B-v0.1", "armorm", "multi", LLAMA3, 8_192, len(ARMORM), 66.5, note="the paper's"),
    _skywork("Llama-3.1-8B", LLAMA31, 84.1, "the first choice on a GPU"),
    _skywork("Llama-3.1-8B-40M", LLAMA31, 86.5, "experimental, say its authors"),
    _skywork("Llama-3.2-3B", LLAMA32, 74.7),
    _skywork("Llama-3.2-1B", LLAMA32, 64.3),
    _skywork("Qwen3-8B", "Apache-2.0", 78.2),
    _skywork("Qwen3-4B", "Apache-2.0", 75.5),
    _skywork("Qwen3-1.7B", "Apache-2.0", 68.3),
    _skywork("Qwen3-0.6B", "Apache-2.0", 61.3, "the first choice on a laptop"),
    Known("Skywork/Skywork-Reward-Gemma-2-27B-v0.2", "scalar", "scalar", "Gemma Terms of Use", 8_192, 0, 75.3),
    Known("NCSOFT/Llama-3-OffsetBias-RM-8B", "scalar", "scalar", LLAMA3, 8_192, 0, 64.8),
    Known("Ray2333/GRM-Llama3-8B-rewardmodel-ft", "scalar", "scalar", LLAMA3, 8_192),
    Known("Ray2333/GRM-llama3-8B-sftreg", "grm", "scalar", LLAMA3, 8_192),
    Known("nvidia/Qwen-3-Nemotron-32B-Reward", "scalar", "scalar", CARD),
    Known("nicolinho/QRM-Llama3.1-8B", "qrm", "multi", LLAMA31, None, len(ARMORM), note="quantiles of each score"),
    Known("LxzGordon/URM-LLaMa-3.1-8B", "urm", "multi", LLAMA31, None, len(HELPSTEER2)),
    Known("infly/INF-ORM-Llama3.1-70B", "inform", "scalar", LLAMA31, None, 0, 76.5, note="140 GB in bfloat16"),
    Known(
        "nvidia/Llama-3.3-Nemotron-70B-Reward-Principle",
        "principle",
        "scalar",
        "NVIDIA Open Model License, Llama 3.3",
        4_096,
        note="reward.principle",
    ),
    Known("llm-blender/PairRM-hf", "pairrm", "pairwise", CARD, 2_048, dtype="float32"),
)
