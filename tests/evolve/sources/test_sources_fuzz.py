"""Damaged bytes and odd values in all formats: whatever a source is, a user is told of it or gets rows with reasons.

EVOLVE_FUZZ says how many rounds (default 400), EVOLVE_FUZZ_SEED where they begin; round n is the same on every machine.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from evolve.recipe.fingerprint import source_digests
from evolve.sources.conversation import RowDropped
from evolve.sources.location import absolute
from evolve.sources.messages import messages_of
from evolve.sources.prompts import load_prompts
from prompts import Prompt
from prompts.errors import UserError

ROUNDS = int(os.environ.get("EVOLVE_FUZZ", "400"))
SEED = int(os.environ.get("EVOLVE_FUZZ_SEED", "0"))
COLUMNS = ("prompt", "messages", "conversations", "instruction", "question", "text", "system", "history", "context")
COLUMNS += ("input", "instances", "system_prompt", "role")
TEXTS = (
    "text",
    "",
    " ",
    "\0",
    "\ud83d",
    "é" * 9,
    "[",
    "[[",
    '[{"role": 1}]',
    '[{"role": "user", "con',
    "{'role': 'user'}",
)
TEXTS += ('{"messages": 3}', '"[1]"', "Human:\n\nAssistant:", "nan", "9" * 5000, "[" * 3000, " " * 20_000, "\x1b[2J")
ATOMS = (None, True, 0, -1.5, 10**30, float("nan"), float("inf"), b"\xff", *TEXTS)
KEYS = ("role", "content", "from", "value", "type", "text", "input", "messages", "conversation", "x", "")
ROLES = ("user", "assistant", "system", "developer", "human", "gpt", "tool", "", "USER", None)
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow", ".ndjson")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift_jis")


def value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.random()
    if depth > 3 or kind < 0.4:
        return rng.choice(ATOMS)
    if kind < 0.6:
        return [
            {"role": rng.choice(ROLES), "content": rng.choice(("Hi", value(rng, 4)))} for _ in range(rng.randrange(4))
        ]
    if kind < 0.8:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def row(rng: random.Random) -> dict[str, Any]:
    sound = {rng.choice(COLUMNS[:6]): f"Question {rng.random()}"} if rng.random() < 0.8 else {}
    return sound | {rng.choice(COLUMNS): value(rng) for _ in range(rng.randrange(3))}


def is_sound(prompt: Prompt) -> bool:
    """A prompt that templates, tokenizers and files take: text alone, roles in turn, a question at its end."""
    roles = [turn["role"] for turn in prompt.messages]
    spoken = roles[1:] if roles[0] == "system" else roles
    in_turn = spoken == ["user" if i % 2 == 0 else "assistant" for i in range(len(spoken))] and len(spoken) % 2 == 1
    texts = [turn["content"] for turn in prompt.messages]
    return (
        in_turn
        and all(isinstance(text, str) and text.encode() is not None for text in texts)
        and prompt.instruction.strip() != ""
    )


def outcome(made: dict[str, Any], column: str) -> str:
    try:
        return "sound" if is_sound(Prompt(messages_of(made, column))) else "unsound"
    except RowDropped as drop:
        return drop.reason


def dumped(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, default=repr)


def written(rng: random.Random, ending: str) -> bytes:
    rows = [row(rng) for _ in range(rng.randrange(9))]
    if ending in (".parquet", ".arrow"):
        return table(rng, rows, ending)
    if ending in (".csv", ".tsv"):
        text = io.StringIO()
        names = ["prompt", *rng.sample(COLUMNS[1:], 2)]
        csv.writer(text, delimiter=rng.choice(",;\t|")).writerows(
            [names, *([rng.choice(("Tell me.", dumped(value(rng)))) for _ in names] for _ in rows)]
        )
        said = text.getvalue()
    elif ending == ".json":
        said = dumped(rng.choice((rows, {"data": rows}, rows[0] if rows else None, value(rng))))
    else:
        said = rng.choice("\n \r\n \r".split(" ")).join(dumped(rng.choice((one, one, value(rng)))) for one in rows)
    return said.encode(rng.choice(ENCODINGS), "replace")


def table(rng: random.Random, rows: list[dict[str, Any]], ending: str) -> bytes:
    columns: dict[str, pa.Array] = {}
    for name in ("prompt", *rng.sample(COLUMNS[1:], 2)):
        values = [one.get(name, rng.choice(("Tell me.", value(rng)))) for one in (*rows, {}, {})]
        try:
            columns[name] = pa.array(values)
            pq.write_table(pa.table({"x": columns[name]}), io.BytesIO())  # not all that Arrow holds goes into parquet
        except (pa.ArrowException, ValueError, OverflowError):
            columns[name] = pa.array([dumped(one).encode("utf-8", "replace").decode() for one in values])
    n = len(rows) + 2
    columns["date"] = pa.array([rng.choice((0, 2**62, -(2**62))) for _ in range(n)], pa.int64()).cast(
        pa.timestamp("us")
    )
    raw = pa.array([rng.randbytes(rng.randrange(5)) for _ in range(n)], pa.binary())
    columns["raw"] = pa.StringArray.from_buffers(n, raw.buffers()[1], raw.buffers()[2])
    kept, sink = pa.table(columns), io.BytesIO()
    if ending == ".parquet":
        pq.write_table(kept, sink, compression=rng.choice(("snappy", "none", "zstd")), write_page_checksum=True)
    else:
        new = rng.choice((pa.ipc.new_stream, pa.ipc.new_file))
        with new(sink, kept.schema) as writer:
            writer.write_table(kept)
    return sink.getvalue()


def damaged(rng: random.Random, data: bytes) -> bytes:
    at, flipped = rng.randrange(len(data) + 1), bytearray(data)
    for _ in range(rng.randrange(1, 9) if data else 0):
        flipped[rng.randrange(len(data))] = rng.randrange(256)
    return rng.choice(
        (data, data, bytes(flipped), data[:at], data[:at] + rng.randbytes(3) + data[at:], data[: at // 2] + data[at:])
    )


def source(rng: random.Random, folder: Path) -> Path:
    """A damaged file, or a folder of some under names that say splits or nothing."""
    names = rng.choice((("x",), ("x",), ("train", "test"), ("a", "b"), ("train/0", "test/0"), ("x-00000-of-00001",)))
    for name in names:
        ending = rng.choice(ENDINGS) + rng.choice(("", "", "", ".gz"))
        path = folder / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = written(rng, ending.removesuffix(".gz"))
        path.write_bytes(damaged(rng, gzip.compress(data) if ending.endswith(".gz") else data))
    return path if len(names) == 1 and rng.random() < 0.8 else folder


def test_no_row_is_more_than_a_prompt_or_a_reason() -> None:
    for n in range(SEED, SEED + ROUNDS):
        rng = random.Random(n)
        made = row(rng)
        for column in COLUMNS:
            assert outcome(made, column) in ("sound", "empty", "bad_row"), (n, made)


def test_no_source_is_more_than_a_user_can_mend(tmp_path: Path) -> None:
    read = 0
    for n in range(SEED, SEED + ROUNDS):
        rng = random.Random(n)
        path = source(rng, tmp_path / str(n))
        split = rng.choice(("train", "test[:3]")) if rng.random() < 0.1 else None
        column = rng.choice((*COLUMNS, "raw", "date")) if rng.random() < 0.2 else None
        try:
            drawn = load_prompts(str(path), split=split, column=column)
            prompts = list(drawn.prompts)
        except UserError:
            continue
        read += 1
        assert drawn.n_in == len(prompts) + sum(drawn.dropped.values()), n
        assert set(drawn.dropped) <= {"empty", "duplicate", "bad_row"}, n
        assert all(map(is_sound, prompts)), n
    assert read > ROUNDS // 10  # not all is refused at the door


def test_no_name_is_more_than_a_user_can_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    pieces = (
        "a",
        "b/",
        "/",
        ".",
        "..",
        "~",
        ":",
        "@",
        "-",
        " ",
        "\0",
        "\n",
        "é",
        "\ud83d",
        "\udcff",
        "*",
        "[",
        "%s",
        "{}",
    )
    pieces += (
        "x" * 99,
        ".jsonl",
        ".parquet",
        ".gz",
        "hf://datasets/",
        "https://",
        "text",
        "json",
        "C:\\",
        "$HOME",
        "\x1b[2J",
    )
    for n in range(SEED, SEED + ROUNDS // 4):
        name = "".join(random.Random(n).choices(pieces, k=random.Random(-n).randrange(6)))
        for split in (None, "train"):
            with pytest.raises(UserError):
                load_prompts(name, split=split)
        assert source_digests(name) == []
        assert isinstance(absolute(name), str)
