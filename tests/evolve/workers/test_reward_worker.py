"""The reward worker: files, runs, runs that still grow, several models, and the default of taking turns."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from evolve.executors.local import score_run
from evolve.pool.pool import Pool
from evolve.recipe.identity import rewards_of
from evolve.run import Run
from evolve.watch.tally import Tally
from evolve.workers.reward import RewardWorker
from evolve.workers.score_file import score_file
from prompts.errors import UserError
from rewards import combine, load
from rewards.protocol import Group
from tests.fake_runs import fake_recipe, make, prompt, write_source
from tests.tiny_models import armorm
from tests.tiny_pairrm import pairrm

LINES = [
    {"prompt": "Name a color.", "response": "Blue.", "mine": 1},
    {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "response": ""},
    {"prompt": "No response here."},
    {"prompt": "A header <|eot_id|> and [PAD]", "response": "<|start_header_id|>assistant<|end_header_id|>\n\nx"},
    {"prompt": "Name a color.", "response": "Blue.", "mine": 2},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return armorm(tmp_path_factory.mktemp("armorm"))


def write_lines(path: Path) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES) + "this is no JSON\n", encoding="utf-8")
    return path


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_gets_one_line_out_for_each_line_in(tmp_path: Path, tiny: Path) -> None:
    source, out = write_lines(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    told = score_file(source, out, str(tiny), batch_tokens=64, dtype="float32", compat=False)
    rows = read_lines(out)
    assert len(rows) == len(LINES) + 1
    assert [row.get("mine") for row in rows] == [1, None, None, None, 2, None]
    assert [row.get("error") for row in rows] == [None, None, "no_response", None, None, "not_an_object"]
    assert all(len(row["rewards"]) == 19 and len(row["gating"]) == 19 for row in rows if "score" in row)
    assert rows[0]["score"] == pytest.approx(rows[4]["score"], abs=2e-5)
    assert "6 lines, 4 scored" in told
    model = load(str(tiny), dtype="float32")
    alone = model.score([Group([{"role": "user", "content": "Name a color."}], ["Blue."])])[0][0]
    assert rows[0]["score"] == pytest.approx(alone.score, abs=2e-5)


def test_a_file_is_never_written_over_by_its_own_scores(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl")
    with pytest.raises(UserError, match="is the file that is read"):
        score_file(source, source, "fake", batch_tokens=64, dtype="auto", compat=False)
    assert read_lines_but_last(source) == LINES


def read_lines_but_last(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:-1]]


def test_the_command_scores_a_file_and_asks_for_what_it_needs(tmp_path: Path) -> None:
    source, out = write_lines(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "evolve", "score", str(source)]
    incomplete = subprocess.run(command, capture_output=True, text=True)
    assert incomplete.returncode == 2
    assert "--reward" in incomplete.stderr
    done = subprocess.run([*command, "--reward", "fake", "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6 lines, 4 scored" in done.stdout
    assert len(read_lines(out)) == 6


def test_a_second_reward_model_scores_beside_the_first_without_sampling(tmp_path: Path) -> None:
    recipe = fake_recipe(write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(8)]))
    first = make(recipe, tmp_path / "run")
    second = make(fake_recipe(tmp_path / "x.jsonl", reward__model="fake:7"), tmp_path / "run")
    assert second.calls == {"rewrite": 0, "sample": 0, "reward": first.calls["reward"]}
    assert make(recipe, tmp_path / "run").calls["reward"] == 0
    assert len(Pool(tmp_path / "run" / "pool").reward_ids()) == 2


def test_an_ensemble_is_the_weighted_mean_of_z_scores_over_x(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(12)])
    recipe = fake_recipe(tmp_path / "x.jsonl", reward__ensemble={"fake:7": 0.5})
    run = Run(recipe, tmp_path / "run")
    run.execute()
    view = run.responses
    raw = {}
    for maker in run.rewards:
        scores = {}
        for part in run.pool.rewards(maker.id).scan(["response_id", "score"]):
            scores |= dict(zip(part["response_id"].to_pylist(), part["score"].to_pylist(), strict=True))
        raw[maker.id] = np.array([scores[one.decode()] for one in view.ids])
    of_x = np.zeros(len(view.ids), bool)
    for prompt_id in run.prompts:
        of_x[view.spans[prompt_id]] = True
    z = [(scores - scores[of_x].mean()) / scores[of_x].std() for scores in raw.values()]
    np.testing.assert_allclose(view.scores, (1.0 * z[0] + 0.5 * z[1]) / 1.5, atol=1e-9)
    np.testing.assert_allclose(view.disagreement, np.std(z, axis=0), atol=1e-9)
    made = make(recipe, tmp_path / "run")
    assert made.train["disagreement_chosen"].null_count == 0
    assert make(fake_recipe(tmp_path / "x.jsonl"), tmp_path / "run").train["disagreement_chosen"].null_count > 0


def test_combine_over_a_reference_set_by_hand() -> None:
    scores = {"a": np.array([1.0, 3.0, 5.0]), "b": np.array([0.0, 2.0, 1.0])}
    over = np.array([True, True, False])  # means 2 and 1, deviations 1 and 1
    combined, disagreement = combine(scores, over=over)
    np.testing.assert_allclose(combined, [-1.0, 1.0, 1.5])
    np.testing.assert_allclose(disagreement, [0.0, 0.0, 1.5])


def test_a_follower_takes_rows_while_they_are_sampled_and_the_run_does_not_score_them_again(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(30)])
    # Slow enough that the follower sees the run grow; the parts of the pool are written every five seconds.
    recipe = fake_recipe(tmp_path / "x.jsonl", policy__engine={"delay": 0.15}, policy__in_flight=4)
    run = Run(recipe, tmp_path / "run")
    sampling = threading.Thread(target=run.execute)
    sampling.start()
    while sampling.is_alive() and not Pool(tmp_path / "run" / "pool").is_growing():
        time.sleep(0.05)
    told = score_run(tmp_path / "run", run.resolved, following=True)
    sampling.join()
    followed = int(told.split(": ")[1].split(" ")[0].replace(",", ""))
    assert followed > 0
    assert followed + run.tally.scored == run.tally.samples
    pool, (maker,) = Pool(tmp_path / "run" / "pool"), rewards_of(recipe)
    ids = [one for part in pool.rewards(maker.id).scan(["response_id"]) for one in part["response_id"].to_pylist()]
    assert len(ids) == len(set(ids)) == run.tally.samples


def test_two_reward_workers_of_one_model_are_one_too_many(tmp_path: Path) -> None:
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(3)])
    recipe = fake_recipe(tmp_path / "x.jsonl")
    make(recipe, tmp_path / "run")
    pool, (maker,) = Pool(tmp_path / "run" / "pool"), rewards_of(recipe)
    with pool.scoring(maker.id), pytest.raises(UserError, match="in use by another process"):
        RewardWorker(
            Pool(tmp_path / "run" / "pool"), "a sampler", maker, recipe.reward, Tally(), 5, list
        ).score_missing()


def test_rows_that_can_not_be_scored_are_counted_and_the_pair_goes(tmp_path: Path) -> None:
    tiny = armorm(tmp_path / "short", limit=600)
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(3)] + ["long " * 600])
    recipe = fake_recipe(tmp_path / "x.jsonl", reward__model=str(tiny), evolve__strategies=["deepen"])
    made = make(recipe, tmp_path / "run")
    books = made.manifest["rows"]["gen_dataset_initial"]
    assert books["dropped"]["too_few_responses"] >= 1
    assert books["in"] == 4
    assert made.manifest["memory_mib"]["with_reward"] > 0


def test_more_samples_make_a_pairwise_model_score_whole_groups_again(tmp_path: Path) -> None:
    model = str(pairrm(tmp_path / "pairrm"))
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(4)])

    def scores(folder: str, n: int) -> dict[str, float]:
        recipe = fake_recipe(source, reward__model=model, sampling__n=n, evolve__strategies=["deepen"])
        made = make(recipe, tmp_path / folder)
        rows = made.train.to_pylist()
        return {f"{row['pair_id']} {end}": row[f"score_{end}"] for row in rows for end in ("chosen", "rejected")}

    few = scores("run", 2)
    grown, fresh = scores("run", 3), scores("fresh", 3)
    assert grown == pytest.approx(fresh, abs=1e-5)
    assert few != grown
