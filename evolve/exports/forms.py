"""Which form a name stands for. A further form is a file beside this and a line in FORMS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from evolve.datasets.folder import find_dataset
from evolve.exports import llamafactory, openrlhf, responses, trl
from evolve.exports.written import Written
from evolve.recipe.choices import ExportForm
from evolve.run import Run
from prompts.errors import UserError

# Of a dataset (train.parquet), where to write, the recipe's name.
FORMS: dict[str, Callable[[Path, Path, str], str]] = {
    "trl": trl.write,
    "openrlhf": openrlhf.write,
    "llamafactory": llamafactory.write,
}


def export(run: Run, form: str, out: Path, *, force: bool = False) -> str:
    """Write the dataset of a run as `form` to `out` and return a line that says what was written.

    A file that is there is written over only if this run has exported it and nobody has changed it since, or with
    `force`. Raises `UserError`.
    """
    if form not in get_args(ExportForm):
        raise UserError(f"No format {form!r}: expected one of {', '.join(get_args(ExportForm))}.")
    train = None if form == "responses" else find_dataset(run) / "train.parquet"
    target = llamafactory.data_file(out, run.recipe.name) if form == "llamafactory" else out
    if form == "llamafactory":
        llamafactory.check(out, run.recipe.name, force)
    written = Written(run.folder)
    written.check(target, force)
    said = responses.write(run, out) if train is None else FORMS[form](train, out, run.recipe.name)
    written.keep(target)
    return said
