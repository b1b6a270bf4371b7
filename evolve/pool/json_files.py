"""JSON files that know whether they are whole: an object with the digest of the rest in its last key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from evolve.pool.files import write_file

DIGEST = "digest"


class Damaged(Exception):
    """A JSON file whose content is not what was written; the message says in what way."""


def write_json(path: Path, data: dict[str, Any], *, make_folder: bool = True) -> None:
    """Write an object to `path`, whole or not at all; not where it has just this content already."""
    content = json_bytes(data)
    if not path.is_file() or path.read_bytes() != content:
        write_file(path, content, make_folder=make_folder)


def json_bytes(data: dict[str, Any]) -> bytes:
    """What `write_json` writes for an object."""
    plain = json.loads(json.dumps(data, default=str, allow_nan=False))
    text = json.dumps(plain | {DIGEST: _digest(plain)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "surrogatepass")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote to `path`. Raises `Damaged`, and OSError: a file that can't be read may be whole."""
    content = path.read_bytes()
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(type(error).__name__) from error
    if not isinstance(data, dict):
        raise Damaged(f"a {type(data).__name__} where an object was written")
    digest = data.pop(DIGEST, None)
    if digest != _digest(data):
        raise Damaged("its content is not what was written")
    return data


def _digest(data: dict[str, Any]) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
