"""X', which is found by arrays, against a plain loop over rows: the same rewrites in the same order, the same books."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evolve.pool.claims import rewrite_key, rewrite_keys
from evolve.pool.pool import Pool
from evolve.views.evolved import Rewrites
from evolve.views.pairs import Missing
from evolve.views.verdicts import present_verdict, present_verdicts
from prompts import RewriteTemplate, content_id, conversation_key, linked_ids, prompt_id, turns_key

TEMPLATES = {name: RewriteTemplate(name, f"{name} {{prompt}}") for name in ("deepen", 'quoted"\\ü', "breadth")}
VERDICTS = ["kept"] * 6 + ["too_long_for_reward", "cut_off", "not_a_request"]


def _row(key: str, messages: list[dict[str, str]], parent: str, strategy: str, **more: Any) -> dict[str, Any]:
    identity = prompt_id(messages)  # type: ignore[arg-type]
    return {"key": key, "id": identity, "messages": messages, "parent_id": parent, "strategy": strategy} | more


def _conversation(rng: random.Random) -> list[dict[str, str]]:
    """One of few, so that there are duplicates, also such that differ in case and space alone."""
    text = f"Write {rng.randrange(60)} words."
    turns = [{"role": "user", "content": text.upper() if rng.random() < 0.3 else text + " " * rng.randrange(3)}]
    if rng.random() < 0.3:
        turns = [{"role": "system", "content": "Be kind."}, *turns]
    return turns


def _made(rng: random.Random, per_strategy: int) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Rows of a prompts table in any order, the ids of X, and the parents that are asked for."""
    initial = [_row(content_id(i), _conversation(rng), "", "", verdict="kept") for i in range(30)]
    parents = list(dict.fromkeys(row["id"] for row in initial))
    rewrites = [
        _row(
            rewrite_key(parent, template, sampler, number),
            _conversation(rng),
            parent,
            template.strategy,
            verdict=rng.choice(VERDICTS),
            content_kept=rng.choice([None, 0.2, 0.4, 0.9]),
            reward_limit=rng.choice([10, 20, 30]),
        )
        for parent in parents
        for template in TEMPLATES.values()
        for number in range(per_strategy)
        for sampler in ("s", "another")
    ]
    rows = [*initial, *rewrites, *rng.sample(rewrites, 5)]  # some came twice
    rng.shuffle(rows)
    return rows, parents[:20], rng.sample(parents, 12)


def _plain(
    rows: list[dict[str, Any]],
    parents: list[str],
    initial: list[str],
    per_strategy: int,
    limit: int | None,
    bound: float,
) -> tuple[list[tuple[str, str, str]], Counter[str]]:
    taken = {conversation_key(row["messages"]) for row in rows if not row["parent_id"] and row["id"] in initial}
    by_key = {row["key"]: row for row in rows}
    found, dropped = [], Counter[str]()
    for parent in parents:
        for template in TEMPLATES.values():
            for number in range(per_strategy):
                row = by_key[rewrite_key(parent, template, "s", number)]
                why = present_verdict(row, limit, bound)
                if why == "kept" and conversation_key(row["messages"]) in taken:
                    why = "duplicate"
                if why == "kept":
                    taken.add(conversation_key(row["messages"]))
                    found.append((row["id"], parent, template.strategy))
                else:
                    dropped[why] += 1
    return found, dropped


@pytest.mark.parametrize("seed", range(12))
def test_what_is_in_x_prime_is_what_a_plain_loop_finds(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    per_strategy, limit, bound = rng.choice([1, 2]), rng.choice([None, 15, 25]), rng.choice([0.0, 0.3, 0.5])
    rows, initial, parents = _made(rng, per_strategy)
    pool = Pool(tmp_path)
    with pool.growing("s"):
        for start in range(0, len(rows), 50):
            pool.prompts.append(rows[start : start + 50])
            pool.flush()
    evolved = Rewrites(pool, parents, initial, TEMPLATES, "s", per_strategy, limit, bound).of()
    expected, dropped = _plain(rows, parents, initial, per_strategy, limit, bound)
    assert list(zip(evolved.ids, evolved.parent_ids, evolved.strategies, strict=True)) == expected
    assert evolved.dropped == dropped
    assert evolved.n_in == len(expected) + dropped.total()
    assert {"duplicate", "cut_off"} <= set(dropped)
    with pytest.raises(Missing, match=f"{3 * per_strategy} of "):
        Rewrites(pool, [*parents, content_id("no parent")], initial, TEMPLATES, "s", per_strategy, limit, bound).of()
    pool.close()


def test_verdicts_of_many_rows_are_those_of_each() -> None:
    rng = random.Random(0)
    rows = [
        {
            "verdict": rng.choice(VERDICTS),
            "content_kept": rng.choice([None, 0.0, 0.2, 0.4, 1.0]),
            "reward_limit": rng.choice([1, 10, 20]),
        }
        for _ in range(300)
    ]
    schema = pa.schema([("verdict", pa.string()), ("content_kept", pa.float64()), ("reward_limit", pa.int64())])
    for limit in (None, 5, 10, 50):
        for bound in (0.0, 0.2, 0.3, 1.0):
            found = present_verdicts(pa.Table.from_pylist(rows, schema), limit, bound)
            assert found.tolist() == [present_verdict(row, limit, bound) for row in rows]
    assert present_verdicts(schema.empty_table(), None, 0.0).tolist() == []


def test_ids_and_keys_by_the_column_are_those_by_the_row() -> None:
    parents = [content_id(i) for i in range(5)]
    found = rewrite_keys(parents, list(TEMPLATES.values()), "sämpler", 2).tolist()
    asked = [(p, t, "sämpler", i) for p in parents for t in TEMPLATES.values() for i in range(2)]
    assert [key.decode() for key in found] == [rewrite_key(*one) for one in asked]
    assert rewrite_keys([], list(TEMPLATES.values()), "s", 2).tolist() == []
    assert list(linked_ids("pair", parents, parents[::-1])) == [
        content_id("pair", *both) for both in zip(parents, parents[::-1], strict=True)
    ]
    turns: list[Any] = [{"role": "system", "content": "A  b"}, {"role": "user", "content": "«ü?»"}]
    assert turns_key(["system", "user"], ["a B", "Ü"]) == conversation_key(turns)
