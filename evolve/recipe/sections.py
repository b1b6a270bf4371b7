"""The recipe: everything a dataset depends on, frozen and checked. TOML is what a person writes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evolve.recipe.choices import Algorithm, GuardName, MetricName, PairRule, PolicyDtype, RankedSet, RewardDtype
from prompts import STRATEGIES


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, serialize_by_alias=True
    )


class Prompts(_Section):
    source: str
    """A Hub dataset, or a local .parquet, .json, .jsonl, .csv or .txt file."""
    split: str | None = None
    """Split of a Hub dataset; local files have none."""
    column: str | None = None
    """Column with a string or a list of messages; by default the first there is of prompt, messages, instruction ..."""
    limit: int | None = Field(None, ge=1)
    """How many prompts X has; all of them by default."""
    draw: int = Field(1, ge=1)
    """Which draw of `limit` prompts; draws are disjoint. 2 is the paper's "+uf-10k"."""
    seed: int = 0
    """Seed of the draw. It is not the sampling seed: the same prompts can be sampled anew."""


class Policy(_Section):
    model: str
    """Folder or Hub name of the policy pi; "fake" for a dry run without a model."""
    dtype: PolicyDtype = "auto"
    """auto: the checkpoint's own on a GPU, float32 on a CPU (where bfloat16 is slower and not reproducible)."""
    max_model_len: int | None = Field(None, ge=32)
    """Context length in tokens; the model's own by default. Lower it when the KV cache does not fit."""
    system_prompt: str | None = None
    """Put in front of every prompt that has no system message, and stored with it. The paper's default is none."""
    in_flight: int = Field(256, ge=1)
    """Requests in the engine at once: vLLM's own default for the sequences of a step, so it never starves."""
    keep_token_ids: bool = False
    """Keep the sampled token ids in the pool; about 4 bytes a token."""
    engine: dict[str, Any] = {}
    """Passed to vLLM's engine arguments as it is, e.g. {tensor_parallel_size = 8}."""


class Reward(_Section):
    model: str
    """Folder or Hub name of the reward model r; "fake" for a dry run."""
    dtype: RewardDtype = "auto"
    """Of the backbone; heads and gating are float32 always. auto: bfloat16 on a GPU, float32 on a CPU."""
    batch_tokens: int | None = Field(None, ge=1)
    """Tokens of a batch; by default 2,048 on a CPU, 16,384 on a GPU. Halved when memory runs out. Changes scores by
    rounding alone."""
    base_url: str | None = None
    """Server of a judge (openai:NAME); OPENAI_BASE_URL by default. The first one is kept for the run."""
    compat: bool = False
    """Read special strings in user text as the released code does, quirks included. By default text is text."""
    ensemble: dict[str, float] = {}
    """Further reward models and their weights, beside `model` with 1: the score is the weighted mean of z-scores."""

    @model_validator(mode="after")
    def _others(self) -> Reward:
        if self.model in self.ensemble or any(weight <= 0 for weight in self.ensemble.values()):
            raise ValueError("ensemble names further models, each with a weight above 0; `model` itself has weight 1")
        return self


class Rewriting(_Section):
    """EvolInstruct: how prompts are rewritten. The key of the recipe is `evolve`."""

    strategies: tuple[str, ...] = STRATEGIES
    """The EvolInstruct strategies, each with a template; all five in the paper, two in its data-size experiment."""
    per_strategy: int = Field(1, ge=1)
    """Rewrites per prompt and strategy; one in the paper."""
    templates: str | None = None
    """Folder with one text file for each strategy; the project's own wording by default."""

    @field_validator("strategies")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name at least one strategy, each once")
        return value


class Sampling(_Section):
    """GenDataset's sampling (paper, Section 4.1 and Appendix D.1). Rewriting uses the same parameters."""

    n: int = Field(5, ge=2)
    """Responses to each prompt; 5 in the paper."""
    temperature: float = Field(0.8, ge=0)
    """0.8 in the paper."""
    top_p: float = Field(0.95, gt=0, le=1)
    """0.95 in the paper."""
    max_tokens: int = Field(4096, ge=1)
    """Longest response in tokens; 4096 in the paper. Less where the context leaves less room."""
    seed: int = 0
    """Run seed: every request's seed is derived from it and from the prompt's id."""


class Selection(_Section):
    metric: MetricName = "map"
    """map: M_AP (Eq. 11); eva: M_r; implicit: -M_pi; uniform: random."""
    alpha: float = Field(2.5, ge=0)
    """Weight of the implicit margin in M_AP; 2.5 for Gemma-2-9b-it, 5.0 for Llama-3-8b-instruct in the paper."""
    k: int | str = "20%"
    """Pairs kept, a number or a percentage of the ranked set. 20% of five rewrites is as many as there are prompts."""
    ranked: RankedSet = Field("evolved", alias="pool")
    """What is ranked: D' (Algorithm 1), or D and D' together (Figure 6)."""
    guard: GuardName = "degenerate"
    """degenerate: no ties, no (nearly) identical pairs, no cut-off winner. paper: max against min, no check."""
    pair_rule: PairRule = "max_min"
    """How a pair is made of the n responses; best against worst in the paper."""
    margin: float = Field(0.0, ge=0)
    """Smallest explicit margin of a pair, whatever the rule."""
    allow_cut_off: bool = False
    """Let a response that hit the length limit be the chosen one."""

    @field_validator("k")
    @classmethod
    def _count_or_share(cls, value: int | str) -> int | str:
        text = str(value).strip()
        number = text.removesuffix("%")
        try:
            ok = 0 < float(number) <= 100 if text.endswith("%") else int(number) > 0
        except ValueError:
            ok = False
        if not ok:
            raise ValueError(f"{value!r} is not a number of pairs such as 10000, nor a percentage such as '20%'")
        return text if text.endswith("%") else int(number)


class Recipe(_Section):
    name: str
    """Names the run's folder unless a run is named: the file's name without .toml."""
    algorithm: Algorithm = "evolve-then-select"
    """evolve-then-select: Algorithm 1, the paper's; select-then-evolve: Algorithm 2, eva's order."""
    prompts: Prompts
    policy: Policy
    reward: Reward
    rewriting: Rewriting = Field(Rewriting(), alias="evolve")
    sampling: Sampling = Sampling()
    selection: Selection = Selection()

    @model_validator(mode="after")
    def _combined_needs_evolved(self) -> Recipe:
        if self.selection.ranked == "combined" and self.algorithm == "select-then-evolve":
            raise ValueError("selection.pool = 'combined' ranks D and D' together, so it needs evolve-then-select")
        return self
