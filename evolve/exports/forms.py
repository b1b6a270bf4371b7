"""Which form a name stands for. A further form is a file beside this and a line in FORMS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.exports import axolotl, conversation, kto, llamafactory, nemo_rl, swift, text, trl
from evolve.exports.dataset_info import Entries
from evolve.exports.setup import Setup
from evolve.exports.template import PolicyTemplate

Row = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """`rows`: of a row of train.parquet what a trainer reads, a line each; None where the policy's template is needed
    for it. `configs`: the smallest configurations that train with it, by the ends of their names.

    `entries` are of LLaMA-Factory's dataset_info.json, for files of that form. `has_margin`: whether its trainers have
    a loss that takes a column `margin`. `breaks` are characters of a path that a trainer takes for something else.
    """

    rows: Callable[[Row], list[Row]] | None
    configs: Callable[[Setup], dict[str, str]]
    entries: Callable[[list[Path]], Entries] | None = None
    has_margin: bool = False
    breaks: str = ""


CONVERSATION = Form(conversation.rows, conversation.configs, has_margin=True, breaks=",@")

FORMS: dict[str, Form] = {
    "trl": Form(trl.rows, trl.configs, has_margin=True),
    "conversation": CONVERSATION,
    "openrlhf": CONVERSATION,
    "llamafactory": Form(llamafactory.rows, llamafactory.configs, llamafactory.entries, breaks=","),
    "swift": Form(swift.rows, swift.configs, has_margin=True),
    "nemo-rl": Form(nemo_rl.rows, nemo_rl.configs),
    "kto": Form(kto.rows, kto.configs, kto.entries, breaks=","),
    "text": Form(None, text.configs),
    "axolotl": Form(axolotl.rows, axolotl.configs),
}


def lines_of(form: Form, pair: Row, template: PolicyTemplate | None, with_thoughts: bool, margin: bool) -> list[Row]:
    """What a trainer reads of a row of train.parquet."""
    if form.rows:
        rows = form.rows(pair)
    else:
        assert template is not None, "a form that applies a template has one"
        rows = text.rows(pair, template.chat, template.end, with_thoughts)
    return [row | {"margin": pair["reward_margin"]} for row in rows] if margin else rows
