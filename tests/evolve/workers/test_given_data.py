"""`evolve score DATA`: existing preference pairs as rows of a pool, and everything below it works on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evolve.api import select
from evolve.executors.forced import score_data
from evolve.pool.pool import Pool
from evolve.recipe.given import given_recipe
from evolve.watch.tally import Tally
from evolve.workers.given import GivenWorker
from fake_runs import balanced, pool_rows
from generation.logprobs import FakeForcing
from given_data import N, pair, score, train, write
from prompts.errors import UserError

# Of every reason with which a pair leaves one.
BAD = [
    pair(90, chosen=None),
    pair(91, rejected=pair(91)["chosen"]),
    pair(92, score_rejected=pair(92)["score_chosen"]),
    pair(93, rejected=" "),
    pair(94, score_chosen=None),
    pair(95, chosen="long " * 2_000),
    pair(0),
]
REASONS = {"bad_pair": 1, "duplicate": 1}
PAIR_REASONS = {"identical": 1, "tie": 1, "too_few_responses": 1, "no_reward": 1, "too_long": 1}


def test_pairs_of_a_file_are_selected_from_as_from_a_grown_run(tmp_path: Path) -> None:
    _, tally = score(write(tmp_path / "data.jsonl", [*map(pair, range(N)), *BAD]), tmp_path / "run")
    assert tally.dropped == {"too_long": 1}
    dataset = select(tmp_path / "run")
    books = balanced(dataset.manifest)
    assert books["prompts"]["dropped"] == REASONS
    assert books["gen_dataset_initial"] == {"in": N + 5, "kept": N, "dropped": PAIR_REASONS}
    assert books["train"]["kept"] == N * 40 // 100
    for row in train(dataset):
        i = int(row["prompt"][0]["content"].split()[1].rstrip("?"))
        given = pair(i)
        assert row["prompt"] == [{"role": "user", "content": given["prompt"]}]
        for side in ("chosen", "rejected"):
            assert row[side] == [{"role": "assistant", "content": given[side]}]
            assert row[f"score_{side}"] == given[f"score_{side}"]
            assert row[f"n_tokens_{side}"] == len(given[side].encode()) + 1
    other = select(tmp_path / "run", {"selection.metric": "eva", "selection.k": "100%"})
    assert len(train(other)) == N
    assert other.manifest["model_calls"] == {"rewrite": 0, "sample": 0, "reward": 0}


def test_the_same_command_computes_nothing_twice_and_more_rows_only_add(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [*map(pair, range(N)), *BAD])
    _, few = score(data, tmp_path / "run", {"prompts.limit": 8})
    assert few.samples == 16
    rows = pool_rows(tmp_path / "run")
    _, again = score(data, tmp_path / "run", {"prompts.limit": 8})
    assert again.samples == 0
    assert pool_rows(tmp_path / "run") == rows
    _, more = score(data, tmp_path / "run", {"prompts.limit": 12})
    assert more.samples == 8  # the draw of a larger limit has the smaller one's pairs
    assert balanced(select(tmp_path / "run", {"selection.k": "100%"}).manifest)["prompts"]["kept"] == 12


def test_killed_in_the_middle_it_ends_in_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error where a kill may come: in each call of the policy after the first, and between responses and rewards."""
    data = write(tmp_path / "data.jsonl", list(map(pair, range(100))))
    whole, _ = score(data, tmp_path / "whole")

    class Killed(Exception):
        pass

    forced, left = FakeForcing.force, [1, 1, 1]

    def force(self: FakeForcing, asked: Any) -> Any:
        if not left:
            return forced(self, asked)
        if left[0] == 0:
            left.pop(0)
            raise Killed
        left[0] -= 1
        return forced(self, asked)

    monkeypatch.setattr(FakeForcing, "force", force)
    calls = 0
    for _ in range(5):
        tally = Tally()
        try:
            score(data, tmp_path / "killed")
        except Killed:
            calls += 1
    assert calls == 3
    assert tally.samples == 0
    assert pool_rows(tmp_path / "killed") == pool_rows(tmp_path / "whole")
    first, second = (train(select(tmp_path / name)) for name in ("whole", "killed"))
    assert first == second
    assert whole.sampler.id


def test_a_prompt_may_have_several_pairs(tmp_path: Path) -> None:
    rows = [pair(1), pair(1, rejected="Another bad one.", score_rejected=1.0), pair(2), pair(1, chosen="Better still.")]
    score(write(tmp_path / "data.jsonl", rows), tmp_path / "run")
    dataset = select(tmp_path / "run", {"selection.k": "100%"})
    texts = sorted((row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in train(dataset))
    assert texts == sorted((row["chosen"], row["rejected"]) for row in rows)


def test_the_guard_of_the_paper_keeps_every_pair_with_numbers(tmp_path: Path) -> None:
    score(write(tmp_path / "data.jsonl", [*map(pair, range(N)), *BAD]), tmp_path / "run")
    dataset = select(tmp_path / "run", {"selection.guard": "paper", "selection.k": "100%"})
    book = balanced(dataset.manifest)["gen_dataset_initial"]
    assert book["dropped"] == {"no_reward": 1, "too_long": 1}
    assert book["kept"] == N + 3
    margin = select(tmp_path / "run", {"selection.margin": 3.0, "selection.k": "100%"})
    assert balanced(margin.manifest)["gen_dataset_initial"]["dropped"]["below_margin"] > 0


def test_responses_over_the_context_leave_or_are_cut_where_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [*map(pair, range(N)), pair(95, chosen="long " * 2_000)])
    resolved, tally = score(data, tmp_path / "cut", truncate=True)
    assert not tally.dropped
    dataset = select(tmp_path / "cut", {"selection.k": "100%"})
    (cut,) = [row for row in train(dataset) if row["chosen"][0]["content"].startswith("long")]
    assert cut["n_tokens_chosen"] == 4_000 - len("Question 95?") - 1
    pool = Pool(tmp_path / "cut" / "pool")
    reasons = [
        one for part in pool.responses(resolved.sampler.id).scan(["finish_reason"]) for one in part[0].to_pylist()
    ]
    assert (reasons.count("length"), reasons.count("stop")) == (1, 2 * N + 1)


def test_data_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    from evolve.recipe.identity import Maker
    from evolve.sources.preferences import open_preferences
    from evolve.workers.given import draw_given

    data = write(tmp_path / "data.jsonl", list(map(pair, range(N))))
    preferences = open_preferences(str(data))
    drawn = draw_given(preferences, None, 0)
    pool = Pool(tmp_path / "pool")
    sampler = Maker("fake", "a" * 24, {})
    for rows in ([*map(pair, range(N - 1))], [*map(pair, range(1, N + 1))]):
        write(data, rows)
        with pool.growing(sampler.id), pytest.raises(UserError, match="changed while it was read"):
            GivenWorker(pool, sampler, "", FakeForcing, Tally()).force_missing(preferences, drawn)


def test_progress_counts_a_pair_when_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tally, seen = Tally(), []
    forced = FakeForcing.force
    monkeypatch.setattr(FakeForcing, "force", lambda self, asked: (seen.append(tally.passed), forced(self, asked))[1])
    recipe = given_recipe(str(write(tmp_path / "data.jsonl", list(map(pair, range(70))))), policy="fake")
    how: dict[str, Any] = {"named": {}, "all_responses": False, "head": "float32", "truncate": False}
    score_data(recipe, tmp_path / "run", batch_tokens=None, tally=tally, **how)
    assert seen == [0, 32, 64]
    assert (tally.passed, tally.total) == (70, 70)
