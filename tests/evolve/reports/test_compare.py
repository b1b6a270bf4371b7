"""`evolve compare`: its arms are what `evolve select` selects, its figures those of plain loops over the rows."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evolve.api import select
from evolve.cli.program import app
from evolve.recipe.stored import stored_recipe
from evolve.reports.comparison.compare import arms_of, compare
from evolve.reports.comparison.table import text_of
from evolve.run import Run
from fake_runs import Made, fake_recipe, make, prompt, write_source
from prompts.errors import UserError

ALGORITHMS = ("evolve-then-select", "select-then-evolve")


def compared(run: Path, rules: list[dict[str, Any]], algorithms: tuple[str, ...] = ALGORITHMS[:1], **how: Any) -> Any:
    made = Run(stored_recipe(run, 1, {}), run, view_only=True)
    found = compare(made, arms_of(algorithms, [stored_recipe(run, 1, one).selection for one in rules]), **how)
    made.pool.close()
    return found


def metrics(*names: str) -> list[dict[str, Any]]:
    return [{"selection.metric": name} for name in names]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_arm_is_what_select_selects(algorithm: str, made: Made) -> None:
    found = compared(made.run, metrics("map", "eva"), (algorithm,))
    selections = []
    for arm in found["arms"]:
        dataset = select(made.run, {"selection.metric": arm["metric"], "algorithm": algorithm})
        rows = pq.read_table(dataset.folder / "selected.parquet").to_pylist()
        train = pq.read_table(dataset.folder / "train.parquet").to_pylist()
        selections.append({row["pair_id"] for row in rows})
        for name, of in (("selected", rows), ("train", train)):
            figures = {key: one["value"] for key, one in arm["sets"][name]["figures"].items()}
            assert figures["pairs"] == len(of)
            assert figures["parents"] == len({row["parent_id"] or row["prompt_id"] for row in of})
            assert figures["reward_chosen"] == pytest.approx(mean(row["score_chosen"] for row in of))
            assert figures["tokens_rejected"] == pytest.approx(mean(row["n_tokens_rejected"] for row in of))
            wrong = [
                row["logp_chosen"] / row["n_tokens_chosen"] < row["logp_rejected"] / row["n_tokens_rejected"]
                for row in of
            ]
            assert figures["disagreement"] == pytest.approx(mean(wrong))
            eva = arm["sets"][name]["metrics"]["eva"]["value"]
            assert eva == pytest.approx(mean(row["reward_margin"] for row in of))
    (overlap,) = found["overlaps"]
    one, other = selections
    assert overlap["jaccard"]["value"] == pytest.approx(len(one & other) / len(one | other))


def test_one_sigma_serves_every_set(made: Made) -> None:
    """The mean of M_AP of D by hand, on the sigma of D and D' together."""
    found = compared(made.run, metrics("map"))
    pairs = [*made.outcome.dataset.rows, *made.outcome.additional.rows]

    def margins(rows: Any) -> tuple[np.ndarray, np.ndarray]:
        explicit = [abs(row["score_chosen"] - row["score_rejected"]) for row in rows]
        implicit = [
            abs(row["logp_chosen"] / row["n_tokens_chosen"] - row["logp_rejected"] / row["n_tokens_rejected"])
            for row in rows
        ]
        return np.array(explicit), np.array(implicit)

    explicit, implicit = margins(pairs)
    assert found["sigma"]["sigma_r"] == pytest.approx(explicit.std())
    assert found["sigma"]["sigma_pi"] == pytest.approx(implicit.std())
    of_d = margins(made.outcome.dataset.rows)
    expected = (of_d[0] / explicit.std() - 2.5 * of_d[1] / implicit.std()).mean()
    (dataset,) = [one for one in found["sets"] if one["set"] == "dataset"]
    assert dataset["metrics"]["map 2.5"]["value"] == pytest.approx(expected)


def test_random_selections_are_seeded_and_chance_is_not_beaten_by_chance(made: Made) -> None:
    first = compared(made.run, metrics("eva", "uniform"), count=40, seed=3)
    assert first == compared(made.run, metrics("eva", "uniform"), count=40, seed=3)
    assert first != compared(made.run, metrics("eva", "uniform"), count=40, seed=4)
    eva, uniform = (arm["sets"]["selected"] for arm in first["arms"])
    assert eva["metrics"]["eva"]["standing"] == 1
    told = [one["standing"] for one in uniform["figures"].values()]
    assert told.count(0) >= len(told) - 2
    low, high = (eva["metrics"]["eva"]["random"][side] for side in ("low", "high"))
    assert low < uniform["metrics"]["eva"]["value"] < high


def test_guards_alphas_and_algorithms_stand_side_by_side(made: Made) -> None:
    rules = [
        {"selection.metric": metric, "selection.alpha": alpha, "selection.guard": guard}
        for metric in ("map", "eva")
        for alpha in (0.5, 5.0)
        for guard in ("degenerate", "paper")
    ]
    found = compared(made.run, rules, ALGORITHMS)
    assert len(found["arms"]) == 2 * 2 * 3  # algorithms, guards, and eva has no alpha
    assert len({one["name"] for one in found["arms"]}) == 12
    told = text_of(found)
    assert "eva (paper, select-then-evolve)" in told
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_metric_that_says_nothing_is_told_and_the_others_go_on(made: Made) -> None:
    found = compared(made.run, metrics("eva", "dpo-gap"))
    assert [one["metric"] for one in found["arms"]] == ["eva"]
    (left,) = found["left_out"]
    assert left["arm"] == "dpo-gap"
    assert "reference" in left["why"]
    assert "Not compared: dpo-gap" in text_of(found)
    with pytest.raises(UserError, match="nothing to compare"):
        compared(made.run, metrics("dpo-gap"))


def test_a_run_of_algorithm_2_alone_says_what_the_other_needs(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])
    made = make(fake_recipe(source, algorithm="select-then-evolve", selection__k="50%"), tmp_path / "run")
    found = compared(made.run, metrics("map", "uniform"), ALGORITHMS)
    assert "map 2.5 (select-then-evolve)" in {one["name"] for one in found["arms"]}
    assert any("evolve" in one["why"] for one in found["left_out"])


def test_the_command_prints_a_table_or_json(made: Made) -> None:
    command = ["compare", f"{made.run}/", "--metric", "map,eva", "--alpha", "0.5,5", "--random", "20"]
    table = CliRunner().invoke(app, command)
    assert table.exit_code == 0, table.output
    assert "map 0.5" in table.stdout
    assert all(len(line) <= 120 for line in table.stdout.splitlines())
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert (found["kind"], found["schema"]) == ("evolve-select comparison", 1)
    assert [one["name"] for one in found["arms"]] == ["map 0.5", "map 5", "eva"]
    wrong = CliRunner().invoke(app, ["compare", f"{made.run}/", "--guard", "none"])
    assert isinstance(wrong.exception, UserError | SystemExit)
