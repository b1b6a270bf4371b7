"""Seeded damage to a model's folder: what downloads, disks and hands do to one."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**20, "", "x", [], [1], {}, {"a": []}, "\ud800", [None, "x"], 3, 10**9]
TEMPLATES = [
    "{{ 1 / 0 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for m in messages %}{{ m.content.nothing.at_all }}{% endfor %}",
    "{{ messages[7] }}",
    "{% if %}",
    "",
    "{{ messages | tojson | int + 'a' }}",
    "{% include 'other' %}",
    "{% for i in range(100000000) %}{% endfor %}",
    "{{ messages[0].content.format(messages) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ raise_exception(messages) }}",
]
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"


def damaged(whole: Path, target: Path, rng: random.Random) -> str:
    """Copy the folder `whole` to `target`, do one to three kinds of damage to it, and say which."""
    shutil.copytree(whole, target)
    return "; ".join(_damage(target, rng) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def _damage(folder: Path, rng: random.Random) -> str:
    path = rng.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    kinds = [_cut, _flip, _gone, _other_text, _a_folder]
    if path.suffix == ".json":
        kinds += [_other_value] * 12
    if path.suffix == ".safetensors":
        kinds += [_header] * 4
    if path.name == "tokenizer_config.json":
        kinds += [_template] * 6
    if path.name == "config.json":
        kinds += [_adapter]
    return f"{path.name}: {rng.choice(kinds)(path, rng)}"


def _cut(path: Path, rng: random.Random) -> str:
    data = path.read_bytes()
    path.write_bytes(data[: (at := rng.randrange(len(data) + 1))])
    return f"cut at byte {at}"


def _flip(path: Path, rng: random.Random) -> str:
    data = bytearray(path.read_bytes() or b"0")
    at = rng.randrange(min(len(data), 4_000))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))
    return f"a bit of byte {at}"


def _gone(path: Path, rng: random.Random) -> str:
    path.unlink()
    return "gone"


def _a_folder(path: Path, rng: random.Random) -> str:
    path.unlink()
    path.mkdir()
    return "a folder"


def _other_text(path: Path, rng: random.Random) -> str:
    text = rng.choice(["", "[]", "null", "3", "[" * 5_000, "\x00\x01", "{", "<html>", LFS, '{"a": 1}', "9" * 5_000])
    path.write_text(text)
    return f"the text {text[:20]!r}"


def _other_value(path: Path, rng: random.Random) -> str:
    """One value somewhere in the JSON, replaced or removed."""
    try:
        data = json.loads(path.read_text())
    except (ValueError, RecursionError):
        return "left alone"
    place, where = data, []
    while isinstance(place, dict | list) and place:
        key: Any = rng.choice(sorted(place) if isinstance(place, dict) else range(min(len(place), 50)))
        where.append(str(key))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.4:
            if rng.random() < 0.2:
                del place[key]
            else:
                place[key] = rng.choice(VALUES)
            break
        place = place[key]
    path.write_text(json.dumps(data))
    return f"{'.'.join(where)} replaced"


def _template(path: Path, rng: random.Random) -> str:
    template = rng.choice(TEMPLATES)
    _set(path, "chat_template", template)
    return f"the template {template[:40]!r}"


def _adapter(path: Path, rng: random.Random) -> str:
    (path.parent / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": rng.choice(VALUES)}))
    return "an adapter beside it"


def _header(path: Path, rng: random.Random) -> str:
    """The header of a safetensors file replaced by another JSON, or one of its entries by another value."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError):
        return "left alone"
    if rng.random() < 0.4 or not isinstance(header, dict) or not header:
        header = rng.choice(VALUES)
    else:
        name = rng.choice(sorted(header))
        header[name] = rng.choice([*VALUES, {"dtype": "F8_E9", "shape": [1], "data_offsets": [0, 1]}])
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return "its header replaced"


def _set(path: Path, key: str, value: Any) -> None:
    try:
        data = json.loads(path.read_text())
    except (ValueError, RecursionError):
        data = {}
    path.write_text(json.dumps((data if isinstance(data, dict) else {}) | {key: value}))
