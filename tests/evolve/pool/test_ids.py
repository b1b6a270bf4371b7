"""Ids in bulk: columns become arrays, and an index finds what a dictionary would find."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

import evolve.pool.ids
from evolve.pool.ids import ID, Index, distinct, id_array, ids_of, text_of
from prompts import content_id


def test_a_column_of_ids_becomes_an_array_whatever_its_pieces() -> None:
    ids = [content_id(i) for i in range(100)]
    whole = pa.chunked_array([ids[:30], [], ids[30:]], pa.string())
    assert text_of(ids_of(whole)) == ids
    assert text_of(ids_of(whole.slice(25, 10))) == ids[25:35]
    assert text_of(ids_of(pa.array(ids).slice(7))) == ids[7:]
    assert len(ids_of(pa.chunked_array([], pa.string()))) == 0
    assert ids_of(whole).dtype == ids_of(pa.array([], pa.string())).dtype == ID
    assert text_of(ids_of(pa.array([ids[0], None, ids[1]]))) == [ids[0], "", ids[1]]
    assert text_of(ids_of(pa.array(["", "short", ids[1]]))) == ["", "short", ids[1]]
    assert text_of(id_array(ids)) == ids


KINDS = {
    "hashes": lambda i: content_id(i),
    "ids that share their first 16 digits": lambda i: f"{i:024x}",
    "some share their first 16 digits": lambda i: content_id(i)[:16] + "0" * 8 if i % 2 else content_id(i + 1),
    "no digits": lambda i: f"id {i}",
    "some are no digits": lambda i: content_id(i) if i % 3 else f"id {i}",
    "capitals": lambda i: content_id(i).upper() if i % 2 else content_id(i),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [7, 1 << 18])
def test_an_index_finds_what_a_dictionary_finds(kind: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last place of an id that occurs more than once; -1 for what is not there, whatever it looks like."""
    monkeypatch.setattr(evolve.pool.ids, "BLOCK", block)
    rng = random.Random(kind)
    for n in (0, 1, 2, 30, 300):
        there = [KINDS[kind](rng.randrange(max(1, n))) for _ in range(n)]
        by_id = {identity: place for place, identity in enumerate(there)}
        asked = [KINDS[kind](rng.randrange(2 * n + 2)) for _ in range(2 * n + 5)] + ["", "x", "0" * 24, "F" * 24]
        index = Index(id_array(there))
        assert len(index) == len(by_id)
        assert index.find(id_array(asked)).tolist() == [by_id.get(identity, -1) for identity in asked]
        assert index.find(np.empty(0, ID)).tolist() == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_different_ids_and_which_each_is(kind: str) -> None:
    rng = random.Random(kind)
    for n in (0, 1, 2, 300):
        ids = [KINDS[kind](rng.randrange(max(1, n))) for _ in range(n)]
        found, which = distinct(id_array(ids))
        assert text_of(found) == sorted(set(ids))
        assert [text_of(found)[i] for i in which] == ids
