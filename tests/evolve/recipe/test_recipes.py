"""Recipes: the shipped ones hold the paper's settings, every key can be set, and what does not hold is explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evolve.recipe.loading import load_recipe, parse_override, recipes_folder
from evolve.recipe.sections import Recipe
from prompts import STRATEGIES, load_rewrite_templates
from prompts.errors import UserError

SHIPPED = sorted(path.stem for path in recipes_folder().glob("*.toml"))
MINIMAL = '[prompts]\nsource = "./data/p.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'


def _file(folder: Path, text: str = MINIMAL) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_recipes_that_are_shipped() -> None:
    assert {"default", "llama3-8b", "gemma2-9b", "data-scaling", "laptop"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_holds(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    folder = Path(recipe.rewriting.templates) if recipe.rewriting.templates else None
    assert folder is None or folder.is_absolute()
    if folder is None or folder.is_dir():
        assert list(load_rewrite_templates(folder, recipe.rewriting.strategies)) == list(recipe.rewriting.strategies)
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe  # as a run stores it


@pytest.mark.parametrize(
    ("name", "model", "alpha"),
    [("llama3-8b", "meta-llama/Meta-Llama-3-8B-Instruct", 5.0), ("gemma2-9b", "google/gemma-2-9b-it", 2.5)],
)
def test_the_paper_s_settings_of_the_main_tables(name: str, model: str, alpha: float) -> None:
    recipe = load_recipe(name)
    assert recipe.policy.model == model
    assert recipe.policy.system_prompt is None
    assert recipe.reward.model == "RLHFlow/ArmoRM-Llama3-8B-v0.1"
    assert (recipe.prompts.source, recipe.prompts.split) == ("HuggingFaceH4/ultrafeedback_binarized", "train_prefs")
    assert (recipe.prompts.limit, recipe.prompts.draw) == (10_000, 1)
    sampling = recipe.sampling
    assert (sampling.n, sampling.temperature, sampling.top_p, sampling.max_tokens) == (5, 0.8, 0.95, 4096)
    assert (recipe.rewriting.strategies, recipe.rewriting.per_strategy) == (STRATEGIES, 1)
    selection = recipe.selection
    assert (selection.metric, selection.alpha, selection.k, selection.ranked) == ("map", alpha, 10_000, "evolved")
    assert selection.pair_rule == "max_min"
    assert recipe.algorithm == "evolve-then-select"


def test_the_paper_s_settings_of_the_data_size_experiment() -> None:
    recipe = load_recipe("data-scaling")
    assert recipe.prompts.limit == 20_000
    assert len(recipe.rewriting.strategies) == 2
    assert (recipe.selection.ranked, recipe.selection.alpha, recipe.selection.k) == ("combined", 0.5, 30_000)


def test_the_defaults_are_the_paper_s(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path))
    paper = load_recipe("gemma2-9b")
    assert (recipe.sampling, recipe.rewriting, recipe.algorithm) == (paper.sampling, paper.rewriting, paper.algorithm)
    assert (recipe.selection.metric, recipe.selection.alpha) == ("map", paper.selection.alpha)


def test_the_default_recipe_needs_no_download() -> None:
    recipe = load_recipe("default")
    for value in (recipe.prompts.source, recipe.policy.model, recipe.reward.model):
        assert Path(value).is_relative_to(recipes_folder().resolve())


# What scripts may rely on: each key with a value other than its default, as it is typed.
KEYS: dict[str, tuple[str, Any]] = {
    "algorithm": ("select-then-evolve", "select-then-evolve"),
    "prompts.source": ("other.txt", "other.txt"),
    "prompts.limit": ("7", 7),
    "policy.model": ("some/model", "some/model"),
    "reward.model": ("some/reward", "some/reward"),
    "evolve.strategies": ('["deepen", "breadth"]', ("deepen", "breadth")),
    "sampling.n": ("8", 8),
    "sampling.temperature": ("0.5", 0.5),
    "sampling.top_p": ("1", 1.0),
    "sampling.max_tokens": ("64", 64),
    "sampling.seed": ("3", 3),
    "selection.metric": ("eva", "eva"),
    "selection.alpha": ("0.25", 0.25),
    "selection.k": ("35%", "35%"),
    "selection.pool": ("combined", "combined"),
    "selection.guard": ("paper", "paper"),
    "selection.implicit": ("dpo", "dpo"),
    "selection.beta": ("10", 10.0),
    "selection.mode": ("sample", "sample"),
    "selection.per_parent": ("1", 1),
    "selection.weight": ("uni-dpo", "uni-dpo"),
    "selection.parameters": ("{temperature = 0.5}", {"temperature": 0.5}),
    "selection.min_mean_reward": ("25%", "25%"),
    "selection.max_token_ratio": ("2", 2.0),
    "selection.length_trend": ("remove", "remove"),
}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_can_be_set(key: str, tmp_path: Path) -> None:
    typed, expected = KEYS[key]
    recipe = load_recipe(_file(tmp_path), dict([parse_override(f"{key}={typed}")]))
    before, after = load_recipe(_file(tmp_path)).model_dump(), recipe.model_dump()
    for part in key.split("."):
        before, after = before[part], after[part]
    assert after == expected != before


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("selection.k=20%", "selection.k", "20%"),
        ("selection.k=100", "selection.k", 100),
        ('selection.k="100"', "selection.k", "100"),
        ("policy.model=./a/b=c", "policy.model", "./a/b=c"),
        ("policy.engine={tensor_parallel_size = 8}", "policy.engine", {"tensor_parallel_size": 8}),
        ("policy.keep_token_ids=true", "policy.keep_token_ids", True),
        (" sampling.n = 8", "sampling.n", 8),
        ("policy.system_prompt=Be brief, please.", "policy.system_prompt", "Be brief, please."),
        ("policy.system_prompt=", "policy.system_prompt", ""),
    ],
)
def test_what_is_typed_is_a_toml_value_or_else_a_string(typed: str, key: str, value: Any) -> None:
    assert parse_override(typed) == (key, value)


@pytest.mark.parametrize("typed", ["sampling.n", "=8", "", " =8"])
def test_what_is_no_setting_is_refused(typed: str) -> None:
    with pytest.raises(UserError, match=r"expected key=value, such as"):
        parse_override(typed)


@pytest.mark.parametrize(
    ("k", "expected"), [(10, 10), ("10", 10), ("10%", "10%"), (" 2.5% ", "2.5%"), ("100%", "100%")]
)
def test_k_is_a_number_or_a_share(k: int | str, expected: int | str, tmp_path: Path) -> None:
    assert load_recipe(_file(tmp_path), {"selection.k": k}).selection.k == expected


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"sampling.n": 1}, ["sampling.n", "greater than or equal to 2", "found 1"]),
        ({"sampling.n": "many"}, ["sampling.n", "integer", "found 'many'"]),
        ({"sampling.top_p": 0}, ["sampling.top_p", "greater than 0", "found 0"]),
        ({"sampling.temperature": -0.1}, ["sampling.temperature", "greater than or equal to 0", "found -0.1"]),
        ({"sampling.temperature": float("nan")}, ["sampling.temperature", "finite number", "found nan"]),
        ({"selection.alpha": float("inf")}, ["selection.alpha", "finite number", "found inf"]),
        ({"selection.metric": "margin"}, ["selection.metric", "'map', 'eva', 'implicit', 'uniform'", "'margin'"]),
        ({"selection.weight": "my module:f"}, ["selection.weight", "'my_module:my_metric'"]),
        ({"selection.alpha": "much"}, ["selection.alpha", "from 0 to 1000000, or 'auto'"]),
        ({"selection.alpha": True}, ["selection.alpha", "or 'auto'", "found True"]),
        ({"selection.guard": ["tie", "ties"]}, ["selection.guard", "'empty', 'cut_off'"]),
        ({"selection.guard": ["truncation"]}, ["needs trainer_tokens"]),
        ({"selection.trainer_tokens": 9}, ["guard = 'strict'"]),
        ({"selection.threshold": 0.5}, ["mode = 'threshold' and `threshold` go together"]),
        ({"selection.mode": "threshold"}, ["mode = 'threshold' and `threshold` go together"]),
        ({"selection.strata": 10}, ["mode = 'sample'"]),
        ({"selection.min_mean_reward": "100%"}, ["selection.min_mean_reward", "'25%'", "'100%'"]),
        ({"selection.parameters": {"t": "x"}}, ["selection.parameters.t", "number"]),
        ({"selection.pool": "all"}, ["selection.pool", "'evolved' or 'combined'", "found 'all'"]),
        ({"selection.guard": "none"}, ["selection.guard", "'degenerate', 'paper' or 'strict'", "found 'none'"]),
        ({"selection.k": 0}, ["selection.k", "percentage such as '20%'", "found 0"]),
        ({"selection.k": "120%"}, ["selection.k", "'120%'"]),
        ({"selection.k": "few"}, ["selection.k", "'few'"]),
        ({"selection.k": 1.5}, ["selection.k", "1.5"]),
        ({"algorithm": "both"}, ["algorithm", "'select-then-evolve' or 'select-only'", "found 'both'"]),
        ({"evolve.strategies": []}, ["evolve.strategies", "at least one strategy"]),
        ({"evolve.strategies": ["deepen", "deepen"]}, ["evolve.strategies", "each once"]),
        ({"evolve.strategies": "deepen"}, ["evolve.strategies", "found 'deepen'"]),
        ({"sampling.temprature": 1}, ["sampling.temprature", "unknown key", "temperature, top_p", "found 1"]),
        ({"sampler.n": 1}, ["sampler", "unknown key", "sampling, selection"]),
        ({"model": "x"}, ["model", "unknown key", "policy, reward"]),
        ({"algorithm": "select-then-evolve", "selection.pool": "combined"}, ["combined", "evolve-then-select"]),
        ({"policy.model.name": "x"}, ["policy.model.name", "'model' is a value, not a section"]),
        (
            {"sampling.n": 0, "sampling.top_p": 2, "selection.alpha": -1},
            ["sampling.n", "sampling.top_p", "selection.alpha"],
        ),
    ],
    ids=str,
)
def test_what_does_not_hold_is_told_by_key_found_and_expected(
    overrides: dict[str, Any], told: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        load_recipe(_file(tmp_path), overrides)
    assert [one for one in told if one not in str(error.value)] == []


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"mine.toml does not hold:\n  policy: Field required\n  reward: Field required"
    ):
        load_recipe(_file(tmp_path, '[prompts]\nsource = "x"\n'))


@pytest.mark.parametrize("text", ["[prompts\n", "a = 1\na = 2\n"])
def test_what_is_no_toml_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"mine.toml is not valid TOML: .*line"):
        load_recipe(_file(tmp_path, text))


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"mine.toml is not valid TOML"):
        load_recipe(str(tmp_path / "mine.toml"))


def test_an_unknown_recipe_is_told_the_known_ones(tmp_path: Path) -> None:
    for name in ("lama3-8b", str(tmp_path / "none.toml"), str(tmp_path)):
        with pytest.raises(UserError, match=f"No recipe '{name}'.*default.*llama3-8b"):
            load_recipe(name)


def test_dotted_paths_are_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[prompts]\nsource = "../data/p.jsonl"\n[policy]\nmodel = "./policy"\n[reward]\nmodel = "owner/name"\n'
    path = _file(tmp_path / "recipes", text + '[evolve]\ntemplates = "/absolute/templates"\n')
    monkeypatch.chdir(tmp_path / "recipes")
    for name in (path, "mine.toml", "./mine.toml", "../recipes/mine.toml"):
        recipe = load_recipe(name)
        assert recipe.prompts.source == str(tmp_path / "data" / "p.jsonl")
        assert recipe.policy.model == str(tmp_path / "recipes" / "policy")
        assert recipe.reward.model == "owner/name"
        assert recipe.rewriting.templates == "/absolute/templates"
        assert recipe.name == "mine"


def test_a_prompt_that_looks_like_a_path_is_text(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path, MINIMAL.replace("[reward]", 'system_prompt = "./ is a folder."\n[reward]')))
    assert recipe.policy.system_prompt == "./ is a folder."


def test_a_path_that_is_set_is_relative_to_where_the_user_is(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path / "recipes"), {"policy.model": "./policy", "prompts.source": "../p.txt"})
    assert (recipe.policy.model, recipe.prompts.source) == ("./policy", "../p.txt")


def test_a_recipe_is_frozen(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        recipe.sampling.n = 3  # type: ignore[misc]


def test_every_key_says_why_it_is_there() -> None:
    def undocumented(model: Any, where: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                found += undocumented(field.annotation, f"{where}{name}.")
            elif not field.description and field.default is not ...:
                found += [f"{where}{name}"] if not field.is_required() else []
        return found

    assert undocumented(Recipe) == []


def test_the_models_of_an_ensemble_may_lie_beside_the_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path, MINIMAL + 'ensemble = {"./second" = 0.5, "owner/third" = 2}\n'))
    assert recipe.reward.ensemble == {str(tmp_path / "second"): 0.5, "owner/third": 2.0}
