"""The recipe: everything a dataset depends on, frozen and checked. TOML is what a person writes."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from evolve.recipe.choices import NAME, Algorithm, Combination, Devices, HeadDtype, PolicyDtype, RewardDtype
from evolve.recipe.section import Section
from evolve.recipe.selection import Selection
from evolve.recipe.soundness import Place, faults
from evolve.recipe.values import SEED, Day, TemplateKwargs
from generation.engines.fake import OPTIONS
from generation.engines.options import check_options
from generation.openai_client import normalised_base_url
from prompts import STRATEGIES
from prompts.errors import UserError

__all__ = ["Policy", "Prompts", "Recipe", "Reference", "Reward", "Rewriting", "Sampling", "Selection"]

MIN_CONTENT = 0.4  # chosen on labelled rewrites: docs/templates.md


class Prompts(Section):
    source: Place
    """A Hub dataset, or a local .parquet, .arrow, .json, .jsonl, .csv, .tsv or .txt file, or a folder of such files."""
    split: str | None = None
    """Split of a Hub dataset, or of files whose names or folders say theirs; needed where there are several."""
    column: str | None = None
    """Column with a string or a list of messages; by default the first there is of prompt, messages, instruction ..."""
    limit: int | None = Field(None, ge=1, le=10**12)
    """How many prompts X has; all of them by default."""
    draw: int = Field(1, ge=1, le=10**6)
    """Which draw of `limit` prompts; draws are disjoint. 2 is the paper's "+uf-10k"."""
    seed: int = SEED
    """Seed of the draw. It is not the sampling seed: the same prompts can be sampled anew."""


class Policy(Section):
    model: Place
    """Folder or Hub name of the policy pi; "fake" for a dry run without a model."""
    dtype: PolicyDtype = "auto"
    """auto: the checkpoint's own on a GPU, float32 on a CPU (where bfloat16 is slower and not reproducible)."""
    max_model_len: int | None = Field(None, ge=32, le=2**31 - 1)
    """Context length in tokens; the model's own by default. Lower it when the KV cache does not fit."""
    system_prompt: str | None = None
    """Put in front of every prompt that has no system message, and stored with it. The paper's default is none."""
    in_flight: int = Field(256, ge=1, le=100_000)
    """Requests in the engine at once: vLLM's own default for the sequences of a step, so it never starves."""
    chat_template_kwargs: TemplateKwargs = Field({})
    """Switches of the chat template's own, such as {enable_thinking = false}."""
    template_date: Day | None = None
    """The day, as "2025-01-31", that a chat template prints which prints the date; the day the run began by default."""
    thought_tags: tuple[str, str] | None = None
    """What a reasoning policy's thoughts stand between, such as ["<think>", "</think>"]; by default the tags that its
    chat template knows. Answers are scored and paired without them."""
    keep_token_ids: bool = False
    """Keep the sampled token ids in the pool; about 4 bytes a token."""
    servers: tuple[str, ...] = ()
    """Base URLs, such as "http://127.0.0.1:8000/v1", of servers that run the policy; by default vLLM runs here. `model`
    then names its tokenizer and template. Which servers, and how many, makes no new rows."""
    served_model: str | None = None
    """The name that the servers have for the policy; `model` as it is written, by default."""
    deadline: float = Field(600.0, gt=0, le=86_400)
    """Seconds that a server has for an answer: the paper's 4,096 tokens at 7 a second."""
    without_logprobs: bool = False
    """Take responses of servers that give no usable log-probabilities. Metrics that need them can't be had then."""
    engine: dict[str, Any] = Field({})
    """Options of vLLM's engine, e.g. {tensor_parallel_size = 8}; generation/engines/options.py lists them."""

    @field_validator("thought_tags")
    @classmethod
    def _two_tags(cls, value: tuple[str, str] | None) -> tuple[str, str] | None:
        if value is not None and (not all(tag.strip() for tag in value) or value[0] == value[1]):
            raise ValueError(
                "expected two different tags, the one that opens the thoughts and the one that closes them"
            )
        return value

    @field_validator("servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(map(normalised_base_url, value)))
        except UserError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _what_servers_decide(self) -> Policy:
        if self.servers and (self.engine or self.dtype != "auto" or self.model == "fake"):
            raise ValueError("with servers there is no engine, dtype or model 'fake' to set: how they run, they decide")
        if not self.servers and (self.served_model or self.without_logprobs):
            raise ValueError("served_model and without_logprobs are for policy.servers, and there are none")
        return self

    @model_validator(mode="after")
    def _known_options(self) -> Policy:
        ours = OPTIONS if self.model == "fake" else ()
        try:
            check_options({name: value for name, value in self.engine.items() if name not in ours})
        except UserError as error:
            raise ValueError(str(error)) from error
        return self


class Reward(Section):
    model: Place
    """Folder or Hub name of the reward model r; "fake" for a dry run."""
    dtype: RewardDtype = "auto"
    """Of the backbone; heads and gating are float32 always. auto: bfloat16 on a GPU, float32 on a CPU."""
    batch_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    """Tokens of a batch; by default 2,048 on a CPU, 16,384 on a GPU. Halved when memory runs out. Changes scores by
    rounding alone."""
    devices: Devices = "one"
    """all: the layers are laid out over all GPUs there are, by accelerate; for a model that does not fit one."""
    base_url: str | None = None
    """Server of a judge (openai:NAME, pairs:NAME); OPENAI_BASE_URL by default. The first one is kept for the run."""
    compat: bool = False
    """Read special strings in user text as the released code does, quirks included. By default text is text."""
    chat_template_kwargs: TemplateKwargs = Field({})
    """Switches of the chat template's own; with an ensemble each model is given all of them."""
    template_date: Day | None = None
    """As policy.template_date."""
    principle: str | None = Field(None, min_length=1, max_length=2000)
    """What a language model without a reward head is asked about each response, Yes or No; such as "correctness"."""
    ensemble: dict[Place, float] = Field({})
    """Further reward models and their weights, beside `model` with 1: z-scores, in one number by `combine`."""
    combine: Combination = "mean"
    """How the ensemble's z-scores become one: their weighted mean; the smallest, min, which believes the model that
    likes a response least; penalized, the mean less `penalty` times their standard deviation. A view: no model runs."""
    penalty: float = Field(1.0, ge=0, le=1e6)
    """Of combine = "penalized", in standard deviations; 1 by default, the width of the bounds that delta-ucb takes."""

    @model_validator(mode="after")
    def _others(self) -> Reward:
        if self.model in self.ensemble or not all(0 < weight <= 1e6 for weight in self.ensemble.values()):
            raise ValueError(
                "ensemble names further models, each with a weight above 0 and up to 1e6; `model` itself has weight 1"
            )
        if self.combine != "mean" and not self.ensemble:
            raise ValueError(f"combine = {self.combine!r} is of several models: name others in reward.ensemble")
        return self


class Reference(Section):
    """A reference model, whose log-probabilities of the responses are computed by teacher forcing: DPO's reward."""

    model: Place
    """Folder or Hub name of the reference policy; "fake" for a dry run. It reads the policy's template switches."""
    dtype: PolicyDtype = "auto"
    """As policy.dtype."""
    head: HeadDtype = "float32"
    """Of the product with the vocabulary; float16 is faster on a GPU. Logits are summed up in float32 either way."""
    batch_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    """As reward.batch_tokens."""


class Rewriting(Section):
    """EvolInstruct: how prompts are rewritten. The key of the recipe is `evolve`."""

    strategies: tuple[str, ...] = STRATEGIES
    """The EvolInstruct strategies, each with a template; all five in the paper, two in its data-size experiment."""
    per_strategy: int = Field(1, ge=1, le=1_000)
    """Rewrites per prompt and strategy; one in the paper."""
    templates: Place | None = None
    """Folder with one text file for each strategy; the project's own wording by default."""

    min_content: float | None = Field(None, ge=0, le=1)
    """Share of a prompt's content that an in-depth rewrite has to keep; 0 takes all. By default 0.4, and 0 for the
    policy "fake", which writes random words. Not in the paper: a weak policy answers prompts instead of rewriting them.
    Held against a stored measure, so a changed bound needs no new rewrites."""

    @field_validator("strategies")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name at least one strategy, each once")
        return value


class Sampling(Section):
    """GenDataset's sampling (paper, Section 4.1 and Appendix D.1). Rewriting uses the same parameters."""

    n: int = Field(5, ge=2, le=10_000)
    """Responses to each prompt; 5 in the paper."""
    temperature: float = Field(0.8, ge=0, le=100)
    """0.8 in the paper."""
    top_p: float = Field(0.95, gt=0, le=1)
    """0.95 in the paper."""
    max_tokens: int = Field(4096, ge=1, le=2**31 - 1)
    """Longest response in tokens; 4096 in the paper. Less where the context leaves less room."""
    seed: int = SEED
    """Run seed: every request's seed is derived from it and from the prompt's id."""


class Recipe(Section):
    """All that a dataset depends on, checked and frozen; `load_recipe` makes one."""

    name: str = Field(pattern=f"^{NAME}$")
    """Names the run's folder unless a run is named: letters, digits, ".", "_" and "-". The file's name without .toml
    by default."""
    algorithm: Algorithm = "evolve-then-select"
    """evolve-then-select: Algorithm 1, the paper's; select-then-evolve: Algorithm 2, eva's order; select-only: the best
    of D, with no evolution (Section 3.2, on existing preference data)."""
    prompts: Prompts
    policy: Policy
    reward: Reward
    reference: Reference | None = None
    """Without it implicit rewards are in SimPO's form, which needs no reference model."""
    rewriting: Rewriting = Field(Rewriting(), alias="evolve")
    sampling: Sampling = Sampling()
    selection: Selection = Selection()

    @model_validator(mode="before")
    @classmethod
    def _sound(cls, data: Any) -> Any:
        if found := faults(data):
            raise ValueError("; ".join(found[:10]))
        return data

    @property
    def min_content(self) -> float:
        """`evolve.min_content`, its default resolved."""
        given = self.rewriting.min_content
        return given if given is not None else 0.0 if self.policy.model == "fake" else MIN_CONTENT

    @model_validator(mode="after")
    def _fits_the_algorithm(self) -> Recipe:
        if self.selection.ranked == "combined" and self.algorithm != "evolve-then-select":
            raise ValueError("selection.pool = 'combined' ranks D and D' together, so it needs evolve-then-select")
        if self.selection.pair_rule == "given" and self.algorithm != "select-only":
            raise ValueError("selection.pair_rule = 'given' takes the pairs of existing data, so it needs select-only")
        return self
