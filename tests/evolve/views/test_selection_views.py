"""Every metric and way to select on a run: what is selected, that its books balance, and that it calls no model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolve.api import select
from evolve.datasets.folder import metric_folder
from evolve.recipe.selection import Selection
from evolve.recipe.stored import stored_recipe
from fake_runs import Made, make, some_leave
from prompts.errors import UserError
from selection import METRICS, metric_of
from selection_views import View, responses_of, views_of


@pytest.fixture
def view(made: Made, source: Path) -> View:
    return views_of(made, source)


NEEDS_MORE = {"dpo-gap", "delta-ucb"}


@pytest.mark.parametrize("name", sorted(set(METRICS) - NEEDS_MORE))
def test_every_metric_ranks_a_run(name: str, view: View, made: Made) -> None:
    ranked = view(metric=name, k="100%").selected.to_pylist()
    scores = [row["metric_score"] for row in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 20
    groups = responses_of(made)
    for row in ranked[:10] + ranked[-10:]:
        r = np.array([one["score"] for one in groups[row["prompt_id"]]])
        s = [row[f"logp_{side}"] / row[f"n_tokens_{side}"] for side in ("chosen", "rejected")]
        margin = row["score_chosen"] - row["score_rejected"]
        expected = {"gap": np.ptp(r), "maxmean": r.max() - r.mean(), "var": r.var(), "mean": r.mean()}
        expected |= {"mean-inv": -r.mean(), "dts": np.subtract(*np.sort(r)[[-1, -2]]), "m-plus": margin - (s[0] - s[1])}
        expected |= {"eva": margin, "implicit": -abs(s[0] - s[1]), "m-1": abs(margin - (s[0] - s[1]))}
        assert name not in expected or row["metric_score"] == pytest.approx(expected[name])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"metric": "dpo-gap"}, r"'dpo-gap' needs ref_logp_chosen .*--reference MODEL"),
        ({"implicit": "dpo"}, r"'map' needs implicit_chosen .*which is missing: .*'dpo' .*--reference MODEL"),
        ({"metric": "delta-ucb"}, r"'delta-ucb' needs lower .*one reward model: .*reward\.ensemble"),
        ({"metric": "eva", "parameters": {"t": 1.0}}, r"selection\.parameters: eva has no t\. There is none"),
        ({"metric": "mine:gone"}, r"no module mine"),
    ],
)
def test_what_a_run_does_not_have_is_named(keys: dict[str, Any], told: str, view: View) -> None:
    with pytest.raises(UserError, match=told):
        view(**keys)


@pytest.mark.parametrize("keys", [{"metric": "mine:gone"}, {"metric": "delta-ucb"}, {"parameters": {"t": 1.0}}])
def test_what_can_never_be_selected_is_said_before_any_work(keys: dict[str, Any], source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        make(some_leave(source, **{f"selection__{name}": value for name, value in keys.items()}), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.parquet"))


def test_bounds_are_those_of_several_reward_models(source: Path, tmp_path: Path) -> None:
    settings = {"reward__ensemble": {"fake:1": 1.0}, "prompts__limit": 6, "selection__k": "100%"}
    made = make(some_leave(source, selection__metric="delta-ucb", **settings), tmp_path / "run")
    rows = made.selected.to_pylist()
    assert rows
    for row in rows:  # the pair's own bounds are among those that the largest is taken of
        widths = row["disagreement_chosen"] + row["disagreement_rejected"]
        assert row["metric_score"] >= row["score_chosen"] - row["score_rejected"] + widths - 1e-9


def test_beta_cancels_in_m_ap_and_counts_in_m_plus(view: View) -> None:
    plain, ten = view(k="100%"), view(k="100%", beta=10.0)
    assert ten.selected["pair_id"].to_pylist() == plain.selected["pair_id"].to_pylist()
    assert np.array(ten.selected["metric_score"]) == pytest.approx(np.array(plain.selected["metric_score"]))
    assert ten.folder != plain.folder
    one, other = view(metric="m-plus"), view(metric="m-plus", beta=10.0)
    assert one.selected["pair_id"].to_pylist() != other.selected["pair_id"].to_pylist()


def test_a_threshold_keeps_all_that_reach_it(view: View, made: Made) -> None:
    tau = made.manifest["ranking"]["threshold"]
    same = view(mode="threshold", threshold=tau)
    assert same.selected["pair_id"].to_pylist() == made.selected["pair_id"].to_pylist()
    assert same.manifest["rows"]["selection"] == made.manifest["rows"]["selection"]
    none = view(mode="threshold", threshold=1e6)
    assert len(none.selected) == 0
    assert none.manifest["ranking"]["threshold"] is None
    assert len(none.train) == none.manifest["rows"]["gen_dataset_initial"]["kept"]


def test_evas_draw_prefers_the_better_and_depends_on_the_seed_alone(view: View, made: Made, source: Path) -> None:
    whole = view(metric="eva", k="100%").selected
    drawn = view(metric="eva", mode="sample", k="25%")
    rows = drawn.selected
    assert len(rows) == -(-len(whole) // 4)
    assert rows["metric_score"].to_pylist() == sorted(rows["metric_score"].to_pylist(), reverse=True)
    assert rows["pair_id"].to_pylist() != whole["pair_id"].to_pylist()[: len(rows)]  # not the top
    assert np.mean(rows["metric_score"]) > np.mean(whole["metric_score"])
    assert set(rows["selected"].to_pylist()) == {True}
    assert drawn.manifest["rows"]["selection"]["dropped"] == {"not_sampled": len(whole) - len(rows)}
    worst = whole["pair_id"][len(whole) - 1].as_py()
    assert worst not in rows["pair_id"].to_pylist()  # min-max-scaled it has no chance
    assert view(metric="eva", mode="sample", k="25%").train.equals(drawn.train)


@pytest.mark.parametrize("more", [{"strata": 10}, {"balance": "strategy"}, {"balance": "parent", "balance_share": 1.0}])
def test_evas_options_draw_other_pairs(more: dict[str, Any], view: View) -> None:
    plain = view(metric="eva", mode="sample", k="25%").selected
    other = view(metric="eva", mode="sample", k="25%", **more).selected
    assert len(other) == len(plain)
    assert set(other["pair_id"].to_pylist()) != set(plain["pair_id"].to_pylist())


def test_caps_take_the_best_of_each_parent_and_strategy(view: View) -> None:
    whole = view(k="100%").selected.to_pylist()
    seen: Counter[str] = Counter()
    for row in whole:
        seen[row["parent_id"]] += 1
    capped = view(k="100%", per_parent=1)
    best = {row["parent_id"]: row["pair_id"] for row in reversed(whole)}
    assert capped.selected["pair_id"].to_pylist() == sorted(best.values(), key=[row["pair_id"] for row in whole].index)
    assert capped.manifest["rows"]["selection"]["dropped"] == {"parent_cap": len(whole) - len(seen)}
    both = view(k="100%", per_parent=2, per_strategy=3).selected.to_pylist()
    assert max(Counter(row["parent_id"] for row in both).values()) <= 2
    assert max(Counter(row["strategy"] for row in both).values()) == 3
    fewer = view(k=4, per_strategy=1).selected.to_pylist()
    assert len({row["strategy"] for row in fewer}) == len(fewer) == 4


def test_a_metric_as_weights_in_place_of_a_cut(view: View) -> None:
    cut = view(k="100%")
    weighed = view(k="100%", weight="uni-dpo")
    assert weighed.train.schema.names == [*cut.train.schema.names, "weight"]
    assert weighed.train.drop_columns(["weight"]).equals(cut.train)
    for row in weighed.train.to_pylist():
        gap = row["logp_chosen"] / row["n_tokens_chosen"] - row["logp_rejected"] / row["n_tokens_rejected"]
        quality = 1 / (1 + np.exp(-0.7 * (row["score_chosen"] - row["score_rejected"])))
        assert row["weight"] == pytest.approx(quality * (1 - 1 / (1 + np.exp(-(10 * gap - 1)))) ** 3)
    by_map = view(metric="eva", weight="map", parameters={}).train
    assert (min(by_map["weight"].to_pylist()), max(by_map["weight"].to_pylist())) == (0.0, 1.0)
    steeper = view(k="100%", weight="uni-dpo", parameters={"eta": 3.0}).train
    assert steeper["weight"].to_pylist() != weighed.train["weight"].to_pylist()


def test_alpha_is_found_on_the_set_and_told(view: View, made: Made, source: Path) -> None:
    auto = view(alpha="auto")
    found = auto.manifest["ranking"]["alpha"]
    assert 0.1 <= found <= 10
    assert auto.manifest["recipe"]["selection"]["alpha"] == "auto"
    assert "alphaauto" in auto.folder.name
    assert f"(alpha {found:g})" in (auto.folder / "README.md").read_text()
    fixed = view(alpha=found)
    assert fixed.train.equals(auto.train)
    with pytest.raises(UserError, match=r"alpha = 'auto' needs at least 20 pairs; this set has"):
        view(alpha="auto", margin=0.93)
    with pytest.raises(UserError, match=r"leaves out one response .* needs sampling\.n = 3 or more, and n is 2"):
        make(some_leave(source, sampling__n=2, selection__alpha="auto"), made.run, view_only=True)
    assert view(alpha="auto", metric="eva").manifest["ranking"]["alpha"] == "auto"  # eva has none: nothing to find


def test_own_code_is_part_of_a_datasets_identity(made: Made, source: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code = tmp_path / "my_own_metric.py"
    code.write_text("def best(score_chosen):\n    return score_chosen\n")
    keys = {"selection.metric": "my_own_metric:best"}
    first = select(made.run, keys)
    assert first.folder.name == "my_own_metric_best-k20pct"
    assert first.manifest["own_code"] == [metric_of("my_own_metric:best").identity]
    assert select(made.run, keys).folder == first.folder
    before = (first.folder / "train.parquet").read_bytes()
    code.write_text("def best(score_rejected):\n    return score_rejected\n")
    second = select(made.run, keys)
    assert second.folder != first.folder
    assert (first.folder / "train.parquet").read_bytes() == before
    assert [row["metric_score"] for row in second.pairs("selected")] == [
        row["score_rejected"] for row in second.pairs("selected")
    ]
    assert stored_recipe(made.run, 1, keys).selection.metric == "my_own_metric:best"


def test_another_selection_has_another_folder_and_no_name_is_too_long() -> None:
    keys: list[dict[str, Any]] = [
        {}, {"metric": "m-1"}, {"metric": "a.b:c"}, {"metric": "a.b:c", "alpha": 1}, {"metric": "eva", "weight": "map"},
        {"metric": "eva", "weight": "map", "alpha": 1}, {"metric": "eva"},
        {"alpha": "auto"}, {"parameters": {"t": 0.5}}, {"implicit": "dpo"},
        {"mode": "threshold", "threshold": 0.12345678}, {"mode": "threshold", "threshold": 0.12345679},
        {"beta": 2}, {"mode": "threshold", "threshold": 0.1}, {"mode": "threshold", "threshold": -0.1},
        {"mode": "sample"}, {"mode": "sample", "strata": 10}, {"mode": "sample", "balance": "parent"},
        {"per_parent": 1}, {"per_strategy": 1}, {"min_mean_reward": 0.25}, {"min_mean_reward": "25%"},
        {"guard": ["tie"]}, {"guard": "strict", "trainer_tokens": 9}, {"max_token_difference": 9},
        {"max_token_ratio": 9}, {"length_trend": "remove"}, {"weight": "map"},
        {"parameters": {"a_long_name_of_a_parameter" * 4: 1.0, "b" * 80: 2.0}, "weight": "x:" + "y" * 90},
    ]  # fmt: skip
    names = [metric_folder(Selection(**one)) for one in keys]
    assert names[0] == "map-alpha2.5-k20pct"
    assert len(set(names)) == len(names)
    assert all(len(name) < 180 and "/" not in name and ":" not in name for name in names)


def test_a_recipe_of_an_earlier_run_still_loads() -> None:
    earlier = {
        "metric": "map", "alpha": 2.5, "k": "20%", "pool": "evolved", "guard": "degenerate", "pair_rule": "max_min",
        "margin": 0.0, "allow_cut_off": False, "with_thoughts": False,
    }  # fmt: skip
    assert Selection.model_validate(earlier) == Selection()
    assert Selection().differing == {}


def test_a_reference_models_log_probabilities_are_inputs_where_they_are_there(made: Made) -> None:
    """The pairs of a run with a reference model have two further columns; NaN where it has said nothing."""
    from numpy.lib import recfunctions

    from evolve.views.known import known_of
    from evolve.views.pairs import Pairs
    from selection import score

    pairs = made.outcome.ranking.pairs
    plain = recfunctions.drop_fields(pairs.rows, ["ref_logp_chosen", "ref_logp_rejected"])
    names = ["ref_logp_chosen", "ref_logp_rejected"]
    reference = [plain["logp_chosen"] - 1.5, plain["logp_rejected"] + 2.0]
    rows = recfunctions.append_fields(plain, names, reference, usemask=False)
    rule = Selection(metric="dpo-gap", implicit="dpo", beta=0.1)
    known = known_of(Pairs(rows, len(rows)), None, rule, 0, ())
    assert score(metric_of("dpo-gap"), known) == pytest.approx(np.full(len(rows), -3.5))
    assert known["implicit_chosen"] == pytest.approx(np.full(len(rows), 0.15))
    assert score(metric_of("implicit"), known) == pytest.approx(np.full(len(rows), -0.35))
    rows["ref_logp_chosen"][3] = np.nan
    with pytest.raises(UserError, match=r"1 of \d+ pairs have a ref_logp_chosen .*--reference MODEL"):
        score(metric_of("dpo-gap"), known_of(Pairs(rows, len(rows)), None, rule, 0, ()))
    rows["ref_logp_chosen"] = np.nan
    with pytest.raises(UserError, match=r"needs ref_logp_chosen .*, which is missing"):
        score(metric_of("dpo-gap"), known_of(Pairs(rows, len(rows)), None, rule, 0, ()))
