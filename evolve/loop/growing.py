"""X of the next iteration where X grows: that of the one before, and the prompts of the pairs that were selected."""

from __future__ import annotations

import json
from pathlib import Path

from evolve.datasets.folder import find_dataset
from evolve.pool.files import whole_file
from evolve.pool.lookup import Lookup
from evolve.recipe import stored
from evolve.run import Run
from prompts.errors import UserError

NAME = "prompts.jsonl"


def next_prompts(folder: Path, iteration: int) -> Path:
    """The file with X of an iteration after the first, written once the one before has its dataset. Raises `UserError`
    where it has none.
    """
    path = (folder / f"iteration-{iteration}" / NAME).absolute()
    if path.is_file():
        return path
    view = Run(stored.stored_recipe(folder, iteration - 1, {}), folder, iteration - 1, view_only=True)
    find_dataset(view)
    selected = view.execute().selected.column("prompt_id")
    ids = list(dict.fromkeys([*view.prompts, *selected]))
    if not ids:
        raise UserError(f"Iteration {iteration - 1} of {folder} has no prompts.")
    found = Lookup(view.pool.prompts, "id")
    with whole_file(path) as file:
        for messages in found.fetch(ids, ["messages"])["messages"].to_pylist():
            plain = [{"role": one["role"], "content": one["content"]} for one in messages]
            file.write((json.dumps({"messages": plain}, ensure_ascii=False) + "\n").encode())
    view.pool.close()
    return path
