"""Which split a file belongs to, by its name or its folder's: held-out rows are not taken for prompts unasked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prompts.errors import UserError

_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "heldout": "test",
}
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")


def split_of(file: Path, root: Path) -> str | None:
    """The split of a file below `root`: of its name (train-00000-of-00002-HASH.parquet, test.jsonl, my_dev_set.csv),
    else of the nearest folder with the name of one; None where nothing says so.
    """
    stem = file.name.partition(".")[0] if not file.name.startswith(".") else file.stem
    if shard := _SHARD.fullmatch(stem):
        return _WORDS.get(shard["split"].lower(), shard["split"])
    words = {_WORDS[word] for word in re.split(r"[^a-z]+", stem.lower()) if word in _WORDS}
    if len(words) == 1:
        return words.pop()
    folders = reversed(file.relative_to(root).parts[:-1])
    return next((_WORDS[name.lower()] for name in folders if name.lower() in _WORDS), None)


def of_split(files: Sequence[Path], root: Path, split: str | None) -> list[Path]:
    """The files of the split that was asked for, or all where there is one. Raises `UserError` where the names leave
    open what is meant.
    """
    found = {file: split_of(file, root) for file in files}
    names = sorted({name for name in found.values() if name})
    told = f"the splits {', '.join(names)}" if names else "no splits in the names of its files"
    if split is not None:
        wanted = _WORDS.get(split.lower(), split)
        chosen = [file for file, name in found.items() if name == wanted]
        if not names and wanted == "train":  # as `datasets` calls files whose names say nothing
            return list(files)
        if not chosen:
            raise UserError(
                f"{root} has {told}, not {split}. Set `prompts.split` to one that is there, or leave it out."
            )
        return chosen
    if len(set(found.values())) > 1:
        others = [str(file.relative_to(root)) for file, name in found.items() if name is None]
        beside = f" and {', '.join(others[:3])} of no split" if others else ""
        raise UserError(f"{root} has {told}{beside}. Set `prompts.split` to one of them, or name a file.")
    return list(files)
