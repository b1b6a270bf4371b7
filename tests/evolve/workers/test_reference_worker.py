"""A reference model on a grown run: rows of its own, columns of the pairs, nothing asked twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from evolve.api import select
from evolve.executors.forced import refer_run
from evolve.pool.pool import Pool
from evolve.recipe.stored import kept, stored_recipe
from evolve.views.references import reference_logps
from evolve.watch.tally import Tally
from evolve.workers.refer import unreferred
from fake_runs import NO_CALLS, Made, fake_recipe, made_so_far, make, prompt, write_source

REFERENCE = {"reference": {"model": "fake:3"}}


@pytest.fixture
def run(made: Made, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return Path(shutil.copytree(made.run, tmp_path / "run"))


def refer(run: Path, reference: dict[str, dict[str, str]] = REFERENCE) -> Tally:
    tally = Tally()
    refer_run(run, stored_recipe(run, 1, dict(reference)), 1, tally)
    return tally


def n_read(run: Path) -> int:
    """Responses that the recipe reads."""
    found = kept(run, 1)
    assert found is not None
    pool = Pool(run / "pool")
    prompts = {one for part in pool.prompts.scan(["id"]) for one in part["id"].to_pylist()}
    return len(unreferred(pool, found.sampler.id, "no_such", found.recipe.sampling.n, prompts))


def test_every_response_that_is_read_gets_a_row_once(run: Path) -> None:
    before = made_so_far(run)
    tally = refer(run)
    assert tally.referred == tally.worked > 0
    assert tally.referred <= n_read(run)
    assert refer(run).referred == 0
    assert made_so_far(run) == before


def test_pairs_carry_what_the_reference_says_and_a_select_without_it_does_not(run: Path) -> None:
    plain = select(run)
    assert "ref_logp_chosen" not in next(plain.pairs())
    assert plain.manifest["reference"] is None
    refer(run)
    dataset = select(run)
    found = kept(run, 1)
    assert found is not None
    assert found.reference is not None
    ids, logp = reference_logps(Pool(run / "pool"), found.reference.id)
    of = dict(zip((identity.decode() for identity in ids), logp.tolist(), strict=True))
    for pair in dataset.pairs():
        for side in ("chosen", "rejected"):
            assert pair[f"ref_logp_{side}"] == of[pair[f"{side}_id"]]
    assert dataset.manifest["reference"]["reference"] == "fake:3"
    assert dataset.manifest["reference"]["pairs_without"] == 0
    assert dataset.folder != plain.folder  # beside, not over, the one without
    assert "reference model: `fake:3`" in (dataset.folder / "README.md").read_text()


def test_what_the_reference_lacks_is_nan_and_counted(run: Path) -> None:
    refer(run)
    found = kept(run, 1)
    assert found is not None
    assert found.reference is not None
    for part in (run / "pool" / "logprobs" / found.reference.id).glob("*.parquet"):
        part.unlink()
    dataset = select(run)
    assert "ref_logp_chosen" not in next(dataset.pairs())
    assert dataset.manifest["reference"]["pairs_without"] == dataset.manifest["rows"]["train"]["kept"]
    assert refer(run).referred > 0
    assert all(np.isfinite(pair["ref_logp_chosen"]) for pair in select(run).pairs())


def test_a_recipe_that_names_a_reference_has_it_from_the_start(tmp_path: Path) -> None:
    source = write_source(tmp_path / "prompts.jsonl", list(map(prompt, range(6))))
    made = make(fake_recipe(source, reference__model="fake:3"), tmp_path / "run")
    assert made.calls["reference"] > 0
    assert all(np.isfinite(made.train["ref_logp_chosen"].to_numpy()))
    assert make(fake_recipe(source, reference__model="fake:3"), tmp_path / "run").calls == NO_CALLS
    without = make(fake_recipe(source), tmp_path / "run")
    assert without.outcome.ranking.ids == made.outcome.ranking.ids
    assert without.folder != made.folder


def test_two_reference_models_stand_side_by_side(run: Path) -> None:
    refer(run)
    refer(run, {"reference": {"model": "fake:4"}})
    assert len(Pool(run / "pool").reference_ids()) == 2
    first = {pair["pair_id"]: pair["ref_logp_chosen"] for pair in select(run).pairs()}
    refer(run)
    assert {pair["pair_id"]: pair["ref_logp_chosen"] for pair in select(run).pairs()} != first
