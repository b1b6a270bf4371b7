"""The recipe: everything a dataset depends on, frozen and checked. TOML is what a person writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from prompts import STRATEGIES
from prompts.errors import UserError

Algorithm = Literal["evolve-then-select", "select-then-evolve"]
MetricName = Literal["map", "eva", "implicit", "uniform"]
PairRule = Literal["max_min", "max_random", "mu_minus_2sigma", "length_matched", "at_least_margin"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


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
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
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
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the backbone; heads and gating are float32 always. auto: bfloat16 on a GPU, float32 on a CPU."""
    batch_tokens: int | None = Field(None, ge=1)
    """Tokens of a batch; by default 2,048 on a CPU, 16,384 on a GPU. Halved when memory runs out. Changes scores by
    rounding alone."""
    compat: bool = False
    """Read special strings in user text as the released code does, quirks included. By default text is text."""
    ensemble: dict[str, float] = {}
    """Further reward models and their weights, beside `model` with 1: the score is the weighted mean of z-scores."""

    @model_validator(mode="after")
    def _others(self) -> Reward:
        if self.model in self.ensemble or any(weight <= 0 for weight in self.ensemble.values()):
            raise ValueError("ensemble names further models, each with a weight above 0; `model` itself has weight 1")
        return self


class Evolve(_Section):
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
    pool: Literal["evolved", "combined"] = "evolved"
    """What is ranked: D' (Algorithm 1), or D and D' together (Figure 6)."""
    guard: Literal["degenerate", "paper"] = "degenerate"
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
    evolve: Evolve = Evolve()
    sampling: Sampling = Sampling()
    selection: Selection = Selection()

    @model_validator(mode="after")
    def _combined_needs_evolved(self) -> Recipe:
        if self.selection.pool == "combined" and self.algorithm == "select-then-evolve":
            raise ValueError("selection.pool = 'combined' ranks D and D' together, so it needs evolve-then-select")
        return self


def recipes_folder() -> Path:
    """Where the shipped recipes are: in the installed package, else beside it in a checkout."""
    packaged = Path(__file__).parent / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "recipes"


def load_recipe(name_or_path: str, overrides: dict[str, Any] | None = None) -> Recipe:
    """The recipe of a shipped name ("default") or a TOML file, with `overrides` ({"sampling.n": 8}) on top.

    A path in a recipe that starts with "./" or "../" is relative to the recipe's file.
    """
    path = _recipe_path(name_or_path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    return override_recipe({"name": path.stem} | _anchored(data, path.parent), overrides or {}, str(path))


def override_recipe(data: dict[str, Any], overrides: dict[str, Any], where: str) -> Recipe:
    """The recipe in `data` with `overrides` on top. Raises `UserError` that names every key that does not hold."""
    for key, value in overrides.items():
        _set(data, key, value)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise UserError(_explain(where, error)) from error


def parse_override(text: str) -> tuple[str, Any]:
    """`sampling.n=8` to ("sampling.n", 8). The value is read as TOML; what is not TOML is a string."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise UserError(f"--set {text!r}: expected key=value, such as --set sampling.n=8.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _recipe_path(name_or_path: str) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return path.resolve()
    shipped = recipes_folder() / f"{name_or_path}.toml"
    if shipped.is_file():
        return shipped
    names = ", ".join(sorted(p.stem for p in recipes_folder().glob("*.toml")))
    raise UserError(
        f"No recipe {name_or_path!r}: expected a .toml file that exists or one of the shipped ones: {names}."
    )


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    def anchor(value: Any) -> Any:
        if isinstance(value, dict):  # an ensemble has models for keys; a system prompt is text, whatever it starts with
            return {anchor(key): item if key == "system_prompt" else anchor(item) for key, item in value.items()}
        if isinstance(value, str) and value.startswith(("./", "../")):
            return str((folder / value).resolve())
        return value

    return {key: anchor(value) for key, value in data.items()}


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, leaf = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise UserError(f"--set {key}: {section!r} is a value, not a section.")
    data[leaf] = value


def _explain(path: str, error: ValidationError) -> str:
    lines = [f"The recipe {path} does not hold:"]
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "recipe"
        found = "" if problem["type"] == "missing" else f" (found {problem['input']!r})"
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            what = f"unknown key, expected one of {', '.join(_keys(problem['loc'][:-1]))}"
        lines.append(f"  {where}: {what}{found}")
    return "\n".join(lines)


def _keys(section: tuple[int | str, ...]) -> list[str]:
    """The keys of a section of the recipe."""
    model: Any = Recipe
    for name in section:
        model = model.model_fields[name].annotation
    return list(model.model_fields)
