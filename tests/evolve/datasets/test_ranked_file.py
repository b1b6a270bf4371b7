"""A file of pairs ranked without holding it: the same rows in the same order as a plain sort of all."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolve.datasets.ranked import rank_file
from evolve.recipe.sections import Selection
from fake_runs import SOME_LEAVE, make, some_leave, write_source
from prompts import content_id
from prompts.errors import UserError
from selection import Scale, best_first
from selection.metrics.pair import uniform


def _pairs(n: int, levels: int) -> list[dict[str, Any]]:
    """Pairs with few or many different margins, and a column of one's own."""
    rng = random.Random(n + levels)
    return [
        {
            "note": f"row {i}",
            "pair_id": content_id(i),
            "score_chosen": rng.randrange(levels) / 4,
            "score_rejected": rng.randrange(levels) / 4,
            "logp_chosen": -float(rng.randrange(levels)),
            "logp_rejected": -float(rng.randrange(levels)),
            "n_tokens_chosen": 1 + rng.randrange(3),
            "n_tokens_rejected": 1 + rng.randrange(3),
        }
        for i in range(n)
    ]


def _plain(rows: list[dict[str, Any]], metric: str) -> list[tuple[str, float]]:
    """Notes and scores of all pairs, best first, by a sort of Python's."""
    explicit = np.array([abs(row["score_chosen"] - row["score_rejected"]) for row in rows])
    per_token = [[row[f"logp_{side}"] / row[f"n_tokens_{side}"] for row in rows] for side in ("chosen", "rejected")]
    implicit = np.abs(np.subtract(*per_token))
    ids = [row["pair_id"] for row in rows]
    scale = Scale(float(np.std(explicit)), float(np.std(implicit)))
    scores = {
        "map": explicit / scale.sigma_r - 2.5 / scale.sigma_pi * implicit,
        "eva": explicit,
        "implicit": -implicit,
        "uniform": uniform(ids, 3),
    }[metric]
    order = sorted(range(len(rows)), key=lambda i: (-scores[i], ids[i]))
    return [(rows[i]["note"], float(scores[i])) for i in order]


@pytest.mark.parametrize("metric", ["map", "eva", "implicit", "uniform"])
@pytest.mark.parametrize("levels", [2, 1_000_000])
def test_the_k_best_of_a_file_are_those_of_a_plain_sort(metric: str, levels: int, tmp_path: Path) -> None:
    rows = _pairs(500, levels)
    source, out = tmp_path / "pairs.parquet", tmp_path / "best.parquet"
    pq.write_table(pa.Table.from_pylist(rows), source, row_group_size=37)
    expected = _plain(rows, metric)
    for k, n in ((1, 1), (60, 60), ("33%", 165), ("100%", 500)):
        books = rank_file(source, out, Selection(metric=metric, k=k, alpha=2.5), seed=3)  # type: ignore[arg-type]
        found = pq.read_table(out)
        assert list(zip(found["note"].to_pylist(), found["metric_score"].to_pylist(), strict=True)) == expected[:n]
        assert found["rank"].to_pylist() == list(range(n))
        assert books == {"in": 500, "not_finite": 0, "selected": n}


def test_a_runs_own_dataset_is_ranked_as_the_run_ranks(tmp_path: Path) -> None:
    """Every pair of D', as `evolve select` writes them, ranked again by the file: the same order and scores."""
    source = write_source(tmp_path / "prompts.jsonl", SOME_LEAVE)
    made = make(some_leave(source, selection__k="100%"), tmp_path / "run")
    written = made.folder / "selected.parquet"
    rank_file(written, tmp_path / "again.parquet", Selection(k="100%"))
    again = pq.read_table(tmp_path / "again.parquet")
    names = [name for name in made.selected.schema.names if name != "metric_score"]
    assert again.select(names).equals(made.selected.select(names))
    # sigma is summed in another order: a last digit may differ
    assert np.allclose(again["metric_score"], made.selected["metric_score"], rtol=1e-12)


def test_pairs_without_a_finite_margin_leave_and_are_counted(tmp_path: Path) -> None:
    rows = _pairs(20, 100)
    rows[3]["logp_chosen"], rows[5]["score_rejected"], rows[7]["n_tokens_chosen"] = float("-inf"), None, 0
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pairs.parquet", row_group_size=6)
    books = rank_file(tmp_path / "pairs.parquet", tmp_path / "out.parquet", Selection(k="100%"))
    assert books == {"in": 20, "not_finite": 3, "selected": 17}
    notes = set(pq.read_table(tmp_path / "out.parquet")["note"].to_pylist())
    assert not notes & {"row 3", "row 5", "row 7"}


def test_a_file_that_is_no_scored_dataset_is_told_in_one_sentence(tmp_path: Path) -> None:
    bad, other = tmp_path / "bad.parquet", tmp_path / "other.parquet"
    bad.write_text("no parquet")
    pq.write_table(pa.table({"prompt": ["a"]}), other)
    for path, told in ((bad, "can't be read"), (other, "lacks score_chosen"), (tmp_path / "none", "can't be read")):
        with pytest.raises(UserError, match=told):
            rank_file(path, tmp_path / "out.parquet", Selection())
    pq.write_table(pa.Table.from_pylist(_pairs(3, 100)), other)
    with pytest.raises(UserError, match="has 3 pairs"):
        rank_file(other, tmp_path / "out.parquet", Selection(k=10))


def test_the_best_are_found_without_asking_for_the_ids_of_others() -> None:
    """Random scores with and without ties, every k: as a sort of all; ids are asked for only where scores are equal."""
    rng = np.random.default_rng(0)
    for levels in (1, 3, 10**9):
        scores = rng.integers(0, levels, 40).astype(float) - 1
        ids = np.array([content_id(int(i)) for i in rng.integers(0, 30, 40)])  # some twice
        expected = sorted(range(40), key=lambda i: (-scores[i], ids[i], i))
        for k in range(41):
            asked: list[int] = []

            def ids_of(at: np.ndarray, asked: list[int] = asked, ids: np.ndarray = ids) -> np.ndarray:
                asked.extend(at.tolist())
                return ids[at]

            assert best_first(scores, k, ids_of).tolist() == expected[:k]
            assert all((scores == scores[i]).sum() > 1 for i in asked)
