"""A large pool in minutes: a small one that was grown, copied under other ids, its prompts with other words."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.claims import initial_key, rewrite_key
from evolve.pool.json_files import read_json, write_json
from evolve.pool.schemas import MESSAGES
from evolve.pool.table import Table, write_part
from evolve.recipe.stored import stored_recipe
from evolve.run import Run

ROWS = 50_000  # of a part, as merging leaves them


def copy(small: Path, large: Path, copies: int) -> None:
    """Make the run `large` of so many copies of the run `small`, of one rewrite a prompt and strategy."""
    run = Run(stored_recipe(small, 1, {}), small, view_only=True)
    shutil.copytree(small / "pool" / "settings", large / "pool" / "settings")
    shutil.copytree(small / "iteration-1", large / "iteration-1", ignore=lambda _, names: set(names) - {"recipe.json"})
    (large / "pool" / "rewards").mkdir()
    drawn = large / "pool" / "settings" / f"x-{run.resolved.x_id}.json"
    x = read_json(drawn)
    ids = [_renamed(n)(one) for n in range(copies) for one in x["ids"]]
    write_json(drawn, x | {"ids": ids, "n_in": len(ids)}, make_folder=False)
    pool = run.pool
    of_prompts = pa.concat_tables(pool.prompts.scan(pool.prompts.schema.names))
    templates = run.templates
    tables: list[tuple[Table, Callable[[pa.Table, int], pa.Table], pa.Table]] = [
        (pool.prompts, lambda rows, n: _prompts(rows, n, templates, run.sampler.id), of_prompts)
    ]
    others: list[tuple[Table, tuple[str, ...]]] = [(pool.responses(run.sampler.id), ("id", "prompt_id"))]
    others += [(pool.rewards(one.id), ("response_id",)) for one in run.rewards]
    for table, names in others:
        rows = pa.concat_tables(table.scan(table.schema.names))
        tables.append((table, lambda rows, n, names=names: _renamed_columns(rows, n, names), rows))  # type: ignore[misc]
    for table, copied, rows in tables:
        folder = large / "pool" / table.folder.relative_to(pool.folder)
        folder.mkdir(parents=True)
        number = 0
        for n in range(copies):
            of_copy = copied(rows, n)
            for start in range(0, len(of_copy), ROWS):
                write_part(folder, number, number, of_copy.slice(start, ROWS))
                number += 1


def _renamed(n: int) -> Callable[[str], str]:
    """From an id to the id of its n-th copy; "" stays."""
    key = n.to_bytes(4, "big")
    return lambda one: one and hashlib.blake2b(one.encode(), digest_size=12, key=key).hexdigest()


def _renamed_columns(rows: pa.Table, n: int, names: tuple[str, ...]) -> pa.Table:
    renamed = _renamed(n)
    for name in names:
        ids = pa.array([renamed(one) for one in rows[name].to_pylist()], pa.string())
        rows = rows.set_column(rows.schema.get_field_index(name), name, ids)
    return rows


def _prompts(rows: pa.Table, n: int, templates: dict[str, Any], sampler_id: str) -> pa.Table:
    rows = _renamed_columns(rows, n, ("id", "parent_id", "conversation_key"))
    asked = zip(rows["id"].to_pylist(), rows["parent_id"].to_pylist(), rows["strategy"].to_pylist(), strict=True)
    keys = [
        rewrite_key(parent, templates[strategy], sampler_id, 0) if parent else initial_key(prompt)
        for prompt, parent, strategy in asked
    ]
    messages = rows["messages"].combine_chunks()
    turns = messages.flatten()
    content = pc.binary_join_element_wise(turns.field("content"), f"Copy {n}.", " ")
    turns = pa.StructArray.from_arrays([turns.field("role"), content], fields=list(MESSAGES.value_type))
    messages = pa.ListArray.from_arrays(messages.offsets, turns)
    for name, column in (("key", pa.array(keys, pa.string())), ("messages", messages)):
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows
