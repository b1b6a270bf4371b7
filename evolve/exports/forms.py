"""Which form a name stands for. A further form is a file beside this and a line in FORMS."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

from evolve.datasets.folder import find_dataset
from evolve.exports import axolotl, conversation, kto, llamafactory, nemo_rl, responses, swift, text, trl
from evolve.exports.lines import rows_of, write_lines
from evolve.exports.template import policy_template
from evolve.exports.written import Written
from evolve.recipe.choices import ExportForm
from evolve.run import Run
from prompts.errors import UserError

Rows = Callable[[dict[str, Any]], list[dict[str, Any]]]

# Of a row of train.parquet, what a trainer reads. `text` needs the policy's template as well.
FORMS: dict[str, Rows | None] = {
    "trl": trl.rows,
    "conversation": conversation.rows,
    "openrlhf": conversation.rows,
    "llamafactory": llamafactory.rows,
    "swift": swift.rows,
    "nemo-rl": nemo_rl.rows,
    "kto": kto.rows,
    "text": None,
    "axolotl": axolotl.rows,
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
    if train is None:
        said = responses.write(run, out)
    else:
        rows = FORMS[form] or _text_rows(run)
        n = write_lines(target, itertools.chain.from_iterable(map(rows, rows_of(train))))
        said = f"{target}: {n:,} lines for {form}"
    if form == "llamafactory":
        llamafactory.describe(out, run.recipe.name)
    written.keep(target)
    return said


def _text_rows(run: Run) -> Rows:
    template, end = policy_template(run)
    return partial(text.rows, template=template, end=end, with_thoughts=run.recipe.selection.with_thoughts)
