"""Which form a name stands for. A further form is a file beside this and a line in FORMS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from evolve.datasets.folder import find_dataset
from evolve.exports import llamafactory, openrlhf, responses, trl
from evolve.recipe.choices import ExportForm
from evolve.run import Run
from prompts.errors import UserError

# Of a dataset (train.parquet), where to write, the recipe's name.
FORMS: dict[str, Callable[[Path, Path, str], str]] = {
    "trl": trl.write,
    "openrlhf": openrlhf.write,
    "llamafactory": llamafactory.write,
}


def export(run: Run, form: str, out: Path) -> str:
    """Write the dataset of a run as `form` to `out` and return a line that says what was written."""
    if form == "responses":
        return responses.write(run, out)
    if form not in FORMS:
        raise UserError(f"No format {form!r}: expected one of {', '.join(get_args(ExportForm))}.")
    return FORMS[form](find_dataset(run) / "train.parquet", out, run.recipe.name)
