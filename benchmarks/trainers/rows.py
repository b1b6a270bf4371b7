"""Rows to check with: those of a run and 14 edge rows; and what the policy's chat template makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.trainers.comparing import SIDES, Expected, Tokens, Vocabulary

Message = dict[str, str]


def _row(prompt: list[Message] | str, chosen: str, rejected: str) -> dict[str, list[Message]]:
    asked = [_said("user", prompt)] if isinstance(prompt, str) else prompt
    return {"prompt": asked, "chosen": [_said("assistant", chosen)], "rejected": [_said("assistant", rejected)]}


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}


TURNS = [_said("user", "Name a river."), _said("assistant", "The Rhine."), _said("user", "Name another.")]
EDGES = {
    "system": _row([_said("system", "Answer in one word."), _said("user", "Which color has snow?")], "White", "Red"),
    "empty system": _row([_said("system", ""), _said("user", "Which color has snow?")], "White", "Red"),
    "many turns": _row(TURNS, "The Danube.", "A river."),
    "system and many turns": _row([_said("system", "Be brief."), *TURNS], "The Danube.", "A river."),
    "outer white space": _row("  Which color has snow?\n", " White.\n", "\n\nRed. "),
    "inner white space": _row("One:\n\n\n  two\tthree", "a\n\n  - b\n\n\tc", "a  b"),
    "special strings in the prompt": _row("What does <|eot_id|> or <|start_header_id|> mean?", "An end.", "Nothing."),
    "special strings in the response": _row("Say it.", "<|begin_of_text|> <|end_header_id|> </s>", "[PAD] <|im_end|>"),
    "empty rejected": _row("Say hello.", "Hello.", ""),
    "unicode": _row("Grüße, 你好, שלום: 🙂?", "e\u0301 é 👩‍👧 ﬁ", "Ω ≠ Ω"),
    "slots of templates": _row("Fill {{content}} in {% if a %}{}{0}", "{{ content }} {{system}} %s", '{"a": "\\n"}'),
    "one character": _row("?", "a", "b"),
    "cut-off loser": _row("Count to five.", "One, two, three, four, five.", "One, two, thr"),
    "tags of media and thoughts": _row("<image> <video> <audio> here", "<think>no</think> yes", "<image><tool_call>"),
}


def edge_run(run: Path, copy: Path) -> Path:
    """A copy of a run whose datasets are the edge rows: they go through `evolve export` like any other."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    (copy / "exports.json").unlink(missing_ok=True)
    for train in copy.rglob("train.parquet"):
        table = pq.read_table(train)
        if len(table) < len(EDGES):
            raise SystemExit(f"{train} has {len(table)} rows; a run of {len(EDGES)} or more is needed.")
        table = table.slice(0, len(EDGES))
        for name in ("prompt", *SIDES):
            column = pa.array([row[name] for row in EDGES.values()], type=table.schema.field(name).type)
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
        pq.write_table(table, train)
    return copy


def dataset_of(run: Path) -> list[dict[str, Any]]:
    """The rows of the one dataset that a run has."""
    found = sorted(run.rglob("train.parquet"))
    if len(found) != 1:
        raise SystemExit(f"{run} has {len(found)} datasets; one is expected, as `evolve run` leaves it.")
    rows: list[dict[str, Any]] = pq.read_table(found[0]).to_pylist()
    return rows


class Reference:
    """The policy's own chat template, put on by transformers: what every trainer should come to."""

    def __init__(self, policy: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(policy)
        bos, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        self.vocabulary = Vocabulary(bos, end, lambda ids: str(self._tokenizer.decode(list(ids))))

    def expected(self, row: dict[str, Any]) -> Expected:
        """The template over prompt and response; trained is what follows the prompt with its generation header."""
        asked = self._ids(row["prompt"], add_generation_prompt=True)
        pair = {}
        for side in SIDES:
            ids = self._ids(row["prompt"] + row[side])
            if ids[: len(asked)] != asked or ids[-1] != self.vocabulary.end_of_turn:
                raise SystemExit("The policy's template does not go on from its own prompt to an end-of-turn.")
            pair[side] = Tokens.of(ids, len(asked))
        return Expected(pair, row["prompt"])

    def n_odd_ends(self, rows: list[Expected]) -> int:
        """Sequences whose trained tokens have the end-of-turn not exactly once (a text may hold it)."""
        ends = (one.ids[len(one.prompt) :].count(self.vocabulary.end_of_turn) for r in rows for one in r.pair.values())
        return sum(n != 1 for n in ends)

    def _ids(self, messages: list[Message], **options: bool) -> list[int]:
        return list(self._tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options))
