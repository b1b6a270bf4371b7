"""The recipe's section `selection`: how pairs are made of responses, guarded, ranked, and which of them are kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from evolve.recipe.choices import (
    Balance,
    GuardCheck,
    GuardName,
    ImplicitForm,
    LengthTrend,
    MetricName,
    Mode,
    PairRule,
    RankedSet,
)
from evolve.recipe.section import Section

_K = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?%|[0-9]{1,12}")
_COUNT = Annotated[int, Field(ge=1, le=10**12)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:-1]) + f" or {names[-1]!r}"


class Selection(Section):
    metric: MetricName | str = "map"
    """map: M_AP (Eq. 11); eva: M_r; implicit: -M_pi; uniform: random; docs/metrics.md has all. Your own is
    "my_module:my_metric", a function in the working directory or installed."""
    alpha: float | Literal["auto"] = 2.5
    """Weight of the implicit margin in M_AP; 2.5 for Gemma-2-9b-it, 5.0 for Llama-3-8b-instruct in the paper. auto:
    found on the ranked set, by the rule of docs/metrics.md."""
    parameters: dict[str, float] = Field({})
    """Parameters of the metric by name, such as {temperature = 0.1} for pvar; its published ones by default."""
    implicit: ImplicitForm = "simpo"
    """Form of the implicit reward: simpo, log pi(y|x) / |y|, as in the paper; dpo, log pi(y|x) / pi_ref(y|x), which
    needs a reference model's log-probabilities."""
    beta: float = Field(1.0, gt=0, le=1e6)
    """Factor of the implicit reward. It cancels in M_AP, whose terms are divided by their deviations, and in the
    ranking by -M_pi; it counts in m-plus and m-1."""
    k: int | str = "20%"
    """Pairs kept, a number or a percentage of the ranked set. 20% of five rewrites is as many as there are prompts."""
    mode: Mode = "top"
    """top: the k best; threshold: all with a score of `threshold` or more, k is not read; sample: k drawn without
    replacement with a chance in proportion to the min-max-scaled score, as eva's authors do."""
    threshold: float | None = None
    """Least score of mode = "threshold". A run's own tau_k is in its manifest."""
    strata: int = Field(1, ge=1, le=10_000)
    """Groups of equal size by score that give the same share each, in mode = "sample"; eva's option has 10."""
    balance: Balance = "none"
    """In mode = "sample", mix one over the frequency of a pair's strategy or parent into its chance."""
    balance_share: float = Field(0.25, ge=0, le=1)
    """Share c of that mixture, p' = (1 - c) p + c q; 0.25 in eva's code."""
    per_parent: _COUNT | None = None
    """Most pairs kept whose prompts have the same parent; an initial prompt is its own."""
    per_strategy: _COUNT | None = None
    """Most pairs kept of a rewriting strategy; the initial prompts count as one."""
    ranked: RankedSet = Field("evolved", alias="pool")
    """What is ranked: D' (Algorithm 1), or D and D' together (Figure 6)."""
    decontaminate: tuple[str, ...] = ()
    """Benchmarks: pairs whose prompt, or its parent, repeats one of their prompts leave D and D'. Files, folders or Hub
    datasets, or alpaca-eval, arena-hard, ifeval, mt-bench. None by default: which benchmarks count is yours to say."""
    min_mean_reward: float | str | None = None
    """Prompts whose responses score less on average are not ranked: a reward, or the share of prompts that leaves, such
    as "25%". Too hard prompts hurt small policies (2510.05534)."""
    guard: GuardName | tuple[GuardCheck, ...] = "degenerate"
    """degenerate: no ties, no (nearly) identical pairs, no cut-off winner. paper: max against min, no check. strict:
    also no refusal that won, and none that trainer_tokens make identical. Or a list of checks."""
    trainer_tokens: _COUNT | None = None
    """Tokens of a response that the trainer keeps, for the check "truncation"."""
    pair_rule: PairRule = "max_min"
    """How a pair is made of the n responses; best against worst in the paper. given: as existing preference data has it
    (`evolve score`)."""
    margin: float = Field(0.0, ge=0, le=1e12)
    """Smallest explicit margin of a pair, whatever the rule."""
    allow_cut_off: bool = False
    """Let a response that hit the length limit be the chosen one."""
    max_token_difference: int | None = Field(None, ge=0, le=2**31 - 1)
    """Largest difference of a pair's lengths in tokens; Olmo 3 takes 100."""
    max_token_ratio: float | None = Field(None, ge=1, le=1e6)
    """Largest ratio of the longer to the shorter of a pair."""
    length_trend: LengthTrend = "keep"
    """remove: take what length alone explains out of the rewards before pairs are made (least squares within
    prompts)."""
    base_share: float = Field(1.0, ge=0, le=1)
    """Share of D's pairs, drawn at random, that the training set has beside D'_k; all of them in the paper, 0.2 in
    eva's own code."""
    weight: MetricName | str | None = None
    """A metric that becomes the column `weight` of the dataset, for a loss that weighs pairs; with k = "100%" in place
    of a cut. uni-dpo is in [0, 1] by its formula, others are min-max-scaled."""
    with_thoughts: bool = False
    """Let chosen and rejected carry the thoughts of a reasoning policy, as sampled, and count their tokens in
    log-probabilities. By default both are of the answers alone, as most templates show them to a trainer."""

    @field_validator("alpha", mode="before")
    @classmethod
    def _number_or_auto(cls, value: Any) -> Any:
        try:
            if value == "auto" or (not isinstance(value, bool) and 0 <= float(value) <= 1e6):
                return value
        except (TypeError, ValueError):
            pass
        raise ValueError("expected a number from 0 to 1000000, or 'auto'")

    @field_validator("guard", mode="before")
    @classmethod
    def _preset_or_checks(cls, value: Any) -> Any:
        presets, checks = get_args(GuardName), get_args(GuardCheck)
        if value in presets or (isinstance(value, list | tuple) and all(one in checks for one in value)):
            return value
        raise ValueError(f"expected {_listed(presets)}, or a list of {_listed(checks)}")

    @field_validator("metric", "weight")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is None or value in get_args(MetricName):
            return value
        from selection.metrics.own import is_own  # numpy with it, which most commands do without

        if not is_own(value):
            raise ValueError(f"expected {_listed(get_args(MetricName))}, or your own as 'my_module:my_metric'")
        return value

    @field_validator("k")
    @classmethod
    def _count_or_share(cls, value: int | str) -> int | str:
        text = "" if isinstance(value, int) and value.bit_length() > 64 else str(value).strip()
        number = text.removesuffix("%")
        if not _K.fullmatch(text) or not 0 < float(number) <= (100 if text.endswith("%") else 10**12):
            raise ValueError("expected a number of pairs such as 10000, or a percentage such as '20%'")
        return text if text.endswith("%") else int(number)

    @field_validator("decontaminate", mode="before")
    @classmethod
    def _sources(cls, value: Any) -> Any:
        """Paths from the root, so that a command in another folder means the same; in order, each once."""
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) and one.strip() for one in found):
            raise ValueError("expected a list of files, folders or Hub datasets")
        from evolve.sources.benchmarks import fixed

        return tuple(sorted(set(map(fixed, found))))

    @field_validator("min_mean_reward")
    @classmethod
    def _reward_or_share(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, str) and not (
            re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,6})?%", value.strip()) and float(value.strip()[:-1]) < 100
        ):
            raise ValueError("expected a reward such as 0.1, or a share of prompts such as '25%'")
        return value.strip() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _together(self) -> Selection:
        if (self.mode == "threshold") != (self.threshold is not None):
            raise ValueError("mode = 'threshold' and `threshold` go together: set both, or neither")
        if self.mode != "sample" and (self.strata > 1 or self.balance != "none"):
            raise ValueError("strata and balance are of mode = 'sample': set it, or leave them out")
        if self.trainer_tokens is not None and "truncation" not in self.checks:
            raise ValueError("trainer_tokens is for the guard's check 'truncation': add it, or take guard = 'strict'")
        if self.trainer_tokens is None and not isinstance(self.guard, str) and "truncation" in self.guard:
            raise ValueError("the guard's check 'truncation' needs trainer_tokens, the tokens that the trainer keeps")
        return self

    @property
    def checks(self) -> frozenset[str]:
        """The guard's checks by name."""
        from selection.guard import checks_of

        return checks_of(self.guard)

    @property
    def differing(self) -> dict[str, object]:
        """The keys that are not the defaults, in their order, with their values: what makes this selection another."""
        return {name: value for name, value in self if value != type(self).model_fields[name].get_default()}
