"""A loop carries either algorithm through its iterations, and all that it knows is in files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evolve.pool.lock import Busy, exclusive
from evolve.recipe import stored
from evolve.reports.drift import kept_drift
from evolve.reports.status import describe
from fake_runs import balanced, fake_recipe, pool_rows, prompt, write_source
from loops import loop, looped, start_policy, train_files, trainings
from prompts.errors import UserError

N_PROMPTS = 8


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start_policy(tmp_path_factory.mktemp("start") / "policy")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(N_PROMPTS)])


@pytest.mark.parametrize("algorithm", ["evolve-then-select", "select-then-evolve"])
def test_each_iteration_samples_from_what_the_one_before_has_trained(
    algorithm: str, source: Path, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    said = loop(looped(source, start, algorithm=algorithm), folder, 3)
    first, second, third = (stored.stored_recipe(folder, one, {}) for one in (1, 2, 3))
    assert first.policy.model == "fake"
    assert len({first.policy.model, second.policy.model, third.policy.model}) == 3
    # each training began from the policy that sampled its dataset, and wrote the next one
    assert trainings(folder, 1) == ["fake"]
    assert trainings(folder, 2) == [str(folder / "checkpoints" / "iteration-1")]
    assert trainings(folder, 3) == [str(folder / "checkpoints" / "iteration-2")]
    assert f"the policy now  {folder / 'checkpoints' / 'iteration-3'}" in said
    # X is fixed, and every dataset is another one
    assert first.prompts == second.prompts == third.prompts
    assert len(set(train_files(folder).values())) == 3
    assert all(f"iteration-{one}/{algorithm}" in describe(folder) for one in (1, 2, 3))


def test_again_it_does_nothing_and_more_iterations_go_on_from_there(source: Path, start: Path, tmp_path: Path) -> None:
    recipe, folder = looped(source, start), tmp_path / "run"
    loop(recipe, folder, 1)
    rows, files = pool_rows(folder), train_files(folder)
    manifest = (folder / "loop.json").read_bytes()
    loop(recipe, folder, 1)
    assert (pool_rows(folder), train_files(folder)) == (rows, files)
    assert (folder / "loop.json").read_bytes() == manifest  # the times of what was done stay those of the doing
    loop(recipe, folder, 2)
    assert train_files(folder)["iteration-1"] == files["iteration-1"]
    assert [len(trainings(folder, one)) for one in (1, 2)] == [1, 1]


def test_time_and_tokens_of_every_phase_are_in_the_manifest(source: Path, start: Path, tmp_path: Path) -> None:
    loop(looped(source, start), tmp_path / "run", 2)
    told = json.loads((tmp_path / "run" / "loop.json").read_text(encoding="utf-8"))["iterations"]
    assert [one["iteration"] for one in told] == [1, 2]
    for one in told:
        assert {"generate", "reward", "write", "training"} <= set(one["phases"])
        assert all(phase["seconds"] >= 0 for phase in one["phases"].values())
        assert one["phases"]["generate"]["tokens"] > 0
        train = pq.read_table(tmp_path / "run" / one["dataset"] / "train.parquet").to_pylist()
        n_tokens = sum(row["n_tokens_chosen"] + row["n_tokens_rejected"] for row in train)
        assert one["phases"]["training"]["tokens"] == n_tokens
        assert one["phases"]["training"]["memory_mib_before"] > 0
        assert (tmp_path / "run" / one["checkpoint"] / "model.safetensors").is_file()


def test_x_grows_by_the_prompts_of_the_selected_pairs_where_that_is_chosen(
    source: Path, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loop(looped(source, start, training__prompts="grow", selection__k=4), folder, 3)
    x: list[set[str]] = []
    for iteration in (1, 2, 3):
        (dataset,) = folder.glob(f"iteration-{iteration}/*/*")
        manifest = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
        rows = balanced(manifest)
        train = pq.read_table(dataset / "train.parquet").to_pylist()
        x.append({row["prompt_id"] for row in train if row["source"] == "initial"})
        assert rows["prompts"]["kept"] == N_PROMPTS + 4 * (iteration - 1)
        selected = pq.read_table(dataset / "selected.parquet")["prompt_id"].to_pylist()
        x.append(set(selected))
    assert x[0] | x[1] >= x[2] > x[0]  # D of iteration 2 is of X and of what was selected (the guard may take some)
    assert x[1] & x[2]
    assert x[4] > x[0]


def test_eva_mix_takes_a_share_of_the_base_pairs_and_all_that_were_evolved(
    source: Path, start: Path, tmp_path: Path
) -> None:
    for algorithm in ("evolve-then-select", "select-then-evolve"):
        mixed, whole = tmp_path / f"mixed-{algorithm}", tmp_path / f"whole-{algorithm}"
        loop(looped(source, start, algorithm=algorithm, selection__base_share=0.25), mixed, 1)
        loop(looped(source, start, algorithm=algorithm), whole, 1)
        rows: dict[Path, dict[str, set[str]]] = {}
        for folder in (mixed, whole):
            (dataset,) = folder.glob("iteration-1/*/*")
            train = pq.read_table(dataset / "train.parquet").to_pylist()
            rows[folder] = {
                kind: {r["pair_id"] for r in train if r["source"] == kind} for kind in ("initial", "evolved")
            }
            balanced(json.loads((dataset / "manifest.json").read_text(encoding="utf-8")))
        assert rows[mixed]["evolved"] == rows[whole]["evolved"]
        assert rows[mixed]["initial"] < rows[whole]["initial"]
        assert len(rows[mixed]["initial"]) == round(0.25 * len(rows[whole]["initial"]))
    with pytest.raises(UserError, match="base_share is of D beside"):
        fake_recipe(source, algorithm="select-only", selection__base_share=0.2)


def test_from_the_second_iteration_the_implicit_reward_is_against_the_first_policy_where_that_is_chosen(
    source: Path, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loop(looped(source, start, training__implicit="dpo"), folder, 2)
    first, second = stored.stored_recipe(folder, 1, {}), stored.stored_recipe(folder, 2, {})
    assert (first.selection.implicit, first.reference) == ("simpo", None)
    assert second.selection.implicit == "dpo"
    assert second.reference is not None
    assert second.reference.model == first.policy.model
    (dataset,) = folder.glob("iteration-2/*/*")
    manifest = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model_calls"]["reference"] > 0
    assert manifest["reference"]["pairs_without"] == 0


def test_without_a_command_it_stops_with_the_command_that_goes_on(source: Path, start: Path, tmp_path: Path) -> None:
    recipe, folder = fake_recipe(source, evolve__strategies=["deepen"]), tmp_path / "run"
    said = loop(recipe, folder, 2)
    assert "go on by  evolve loop mine.toml --trained CHECKPOINT" in said
    assert str(folder / "iteration-1") in said
    assert not (folder / "iteration-2").exists()
    with pytest.raises(UserError, match="is not there, or empty"):
        loop(recipe, folder, 2, str(tmp_path / "nowhere"))
    for _ in range(2):  # the second time it is the policy already
        said = loop(recipe, folder, 2, str(start))
        assert "Iteration 2 of 2 has its dataset" in said
    assert stored.stored_recipe(folder, 2, {}).policy.model.startswith("fake:")
    shutil.copytree(start, tmp_path / "copy")
    (tmp_path / "copy" / "generation_config.json").unlink()
    with pytest.raises(UserError, match="are those of the policy"):
        loop(recipe, folder, 2, str(tmp_path / "copy"))


def test_a_checkpoint_of_other_data_or_another_command_is_never_taken(
    source: Path, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loop(looped(source, start), folder, 1)
    for settings, what in (
        ({"selection__metric": "eva", "selection__k": 3}, "dataset"),
        ({"fault": "same"}, "command"),
    ):
        with pytest.raises(UserError, match=rf"trained from another {what} than this recipe"):
            loop(looped(source, start, **settings), folder, 1)  # type: ignore[arg-type]


def test_two_loops_are_not_at_work_in_one_folder(source: Path, start: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with exclusive(tmp_path / "run" / "loop.lock", "the test"), pytest.raises(Busy, match="in use by another process"):
        loop(looped(source, start), tmp_path / "run", 1)


def test_the_figures_of_drift_are_those_of_the_rows(source: Path, start: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    said = loop(looped(source, start), folder, 2)
    rows = kept_drift(folder)
    assert [row["iteration"] for row in rows] == [1, 2]
    scores = {row["response_id"]: row["score"] for row in map(json.loads, pool_rows(folder)["rewards"])}
    (dataset,) = folder.glob("iteration-1/*/*")
    sampler = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))["sampler"]["id"]
    initial = {row["id"] for row in map(json.loads, pool_rows(folder)["prompts"]) if not row["parent_id"]}
    files = sorted((folder / "pool" / "responses" / sampler).glob("*.parquet"))
    responses = [row for path in files for row in pq.read_table(path).to_pylist() if row["prompt_id"] in initial]
    of_x = [scores[row["id"]] for row in responses]
    assert rows[0]["mean_reward"] == pytest.approx(sum(of_x) / len(of_x))
    best: dict[str, float] = {}
    for row in responses:
        best[row["prompt_id"]] = max(best.get(row["prompt_id"], float("-inf")), scores[row["id"]])
    assert rows[0]["mean_best"] == pytest.approx(sum(best.values()) / len(best))
    assert rows[0]["mean_tokens"] == pytest.approx(sum(row["n_tokens"] for row in responses) / len(responses))
    train = pq.read_table(dataset / "train.parquet").to_pylist()
    signs = [
        row["logp_chosen"] / row["n_tokens_chosen"] > row["logp_rejected"] / row["n_tokens_rejected"]
        for row in train
        if row["source"] == "initial"
    ]
    assert rows[0]["sign_agreement"] == pytest.approx(sum(signs) / len(signs))
    moved = f"{rows[0]['mean_reward']:.4g} in iteration 1, {rows[1]['mean_reward']:.4g} in iteration 2"
    assert moved in said
    assert "rewrites kept" in describe(folder)
    assert f"{rows[0]['mean_reward']:.4g}" in describe(folder)
