"""What the pool has and lacks: claims are exact and made once; rows are found by id wherever they lie."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from evolve.pool.claims import NOT_SAMPLED, Claims, initial_key, rewrite_key
from evolve.pool.lookup import Lookup
from evolve.pool.pool import Pool
from evolve.workers.grow import consecutive
from prompts import RewriteTemplate, content_id
from prompts.errors import UserError


def _id(i: int) -> str:
    return content_id("test", i)


def _pool(folder: Path, table: str, parts: list[list[dict[str, Any]]]) -> Pool:
    pool = Pool(folder)
    with pool.growing("s"):
        for rows in parts:
            (pool.prompts if table == "prompts" else pool.responses("s")).append(rows)
            pool.flush()
    return pool


def _samples(prompt: int, *indices: int, sampler: str = "s") -> list[dict[str, Any]]:
    return [{"id": _id(99), "prompt_id": _id(prompt), "sampler_id": sampler, "sample_index": i} for i in indices]


def test_only_missing_samples_are_claimed_and_only_once(tmp_path: Path) -> None:
    rows = [*_samples(1, 0, 1, 2, 3, 4), *_samples(2, 0, 2, 3), *_samples(3, -1)]
    claims = Claims(_pool(tmp_path, "responses", [rows]), "s")
    expected = {1: (), 2: (1, 4), 3: (), 4: (0, 1, 2, 3, 4), 5: (0, 1, 2, 3, 4)}
    for prompt, missing in expected.items():
        assert claims.lacks_samples(_id(prompt), 5) == bool(missing)
        assert claims.claim_samples(_id(prompt), 5) == missing
        assert claims.claim_samples(_id(prompt), 5) == ()
        assert not claims.lacks_samples(_id(prompt), 5)


def test_raising_n_lacks_the_new_ones_only(tmp_path: Path) -> None:
    claims = Claims(_pool(tmp_path, "responses", [_samples(1, 0, 1, 2), _samples(1, 4)]), "s")
    assert not claims.lacks_samples(_id(1), 3)
    assert claims.claim_samples(_id(1), 2) == ()
    assert claims.claim_samples(_id(1), 8) == (3, 5, 6, 7)
    assert claims.claim_samples(_id(1), 100) == tuple(range(8, 100))


def test_a_refused_prompt_lacks_nothing_however_many_are_asked_for(tmp_path: Path) -> None:
    claims = Claims(_pool(tmp_path, "responses", [_samples(1, -1)]), "s")
    assert NOT_SAMPLED & (1 << 1000)
    assert not claims.lacks_samples(_id(1), 1000)


def test_runs_against_a_count_by_hand(tmp_path: Path) -> None:
    """Any set of samples: what is claimed, together with what was there, is each index once."""
    rng = random.Random(0)
    there = {prompt: sorted(rng.sample(range(12), rng.randrange(13))) for prompt in range(40)}
    claims = Claims(
        _pool(tmp_path, "responses", [_samples(p, *indices) for p, indices in there.items() if indices]), "s"
    )
    for prompt, indices in there.items():
        runs = list(consecutive(claims.claim_samples(_id(prompt), 12)))
        assert sorted([*indices, *(i for run in runs for i in run)]) == list(range(12))
        assert all(first.stop < second.start for first, second in itertools.pairwise(runs))


def test_a_key_is_claimed_once(tmp_path: Path) -> None:
    row = {"key": initial_key(_id(1)), "id": _id(1), "messages": []}
    claims = Claims(_pool(tmp_path, "prompts", [[row]]), "s")
    assert claims.has(initial_key(_id(1)))
    assert not claims.claim(initial_key(_id(1)))
    assert not claims.has(initial_key(_id(2)))
    assert claims.claim(initial_key(_id(2)))
    assert not claims.claim(initial_key(_id(2)))


def test_the_key_of_a_rewrite_depends_on_all_that_was_asked() -> None:
    template = RewriteTemplate("deepen", "Rewrite {prompt}.")
    asked = [
        (_id(1), template, "sampler", 0),
        (_id(2), template, "sampler", 0),
        (_id(1), RewriteTemplate("breadth", template.text), "sampler", 0),
        (_id(1), RewriteTemplate("deepen", "Rewrite: {prompt}."), "sampler", 0),
        (_id(1), template, "another", 0),
        (_id(1), template, "sampler", 1),
    ]
    keys = [rewrite_key(*one) for one in asked] + [initial_key(_id(1))]
    assert len(set(keys)) == len(keys)
    assert rewrite_key(*asked[0]) == keys[0]


def test_rows_come_in_the_order_asked_for_from_whatever_part(tmp_path: Path) -> None:
    parts = [[{"id": _id(i), "text": f"text {i}"} for i in range(start, start + 5)] for start in range(0, 40, 5)]
    random.Random(1).shuffle(parts)
    lookup = Lookup(_pool(tmp_path, "responses", parts).responses("s"), "id")
    wanted = [random.Random(2).randrange(40) for _ in range(100)]  # some twice
    assert lookup.fetch([_id(i) for i in wanted], ["text"])["text"].to_pylist() == [f"text {i}" for i in wanted]
    assert lookup.fetch([_id(3)], ["id", "text"]).to_pylist() == [{"id": _id(3), "text": "text 3"}]


def test_the_last_row_of_an_id_counts(tmp_path: Path) -> None:
    parts = [[{"id": _id(1), "text": "a"}, {"id": _id(1), "text": "b"}], [{"id": _id(2), "text": "c"}]]
    pool = _pool(tmp_path, "responses", [*parts, [{"id": _id(1), "text": "d"}, {"id": _id(3), "text": "e"}]])
    assert Lookup(pool.responses("s"), "id").fetch([_id(1), _id(2)], ["text"])["text"].to_pylist() == ["d", "c"]


def test_an_absent_id_is_an_error_and_no_id_is_no_row(tmp_path: Path) -> None:
    lookup = Lookup(_pool(tmp_path, "responses", [[{"id": _id(1), "text": "a"}]]).responses("s"), "id")
    assert _id(1) in lookup
    assert _id(2) not in lookup
    with pytest.raises(UserError):
        lookup.fetch([_id(1), _id(2)], ["text"])
    assert lookup.fetch([], ["text"]).to_pydict() == {"text": []}


def test_a_lookup_in_nothing(tmp_path: Path) -> None:
    lookup = Lookup(Pool(tmp_path).responses("s"), "id")
    assert _id(1) not in lookup
    assert lookup.fetch([], ["text"]).num_rows == 0
    with pytest.raises(UserError):
        lookup.fetch([_id(1)], ["text"])
