"""Which split a file belongs to, by its name or its folder's: held-out rows are not taken for prompts unasked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evolve.sources.opening import stem_of
from prompts.errors import UserError

_WORDS = {
    word: split
    for split, words in {
        "train": "train training trainset",
        "validation": "validation validationset valid validset val valset dev devset",
        "test": "test testing testset eval evaluation evalset heldout holdout",
    }.items()
    for word in words.split()
}
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9A-Za-z]+)?")
_GENERIC = frozenset(("data", "dataset", "part", "shard", "chunk", "file"))  # of a shard's name: no split


def split_of(file: Path, root: Path) -> str | None:
    """The split of a file below `root`: of its name (train-00000-of-00002-HASH.parquet, test.jsonl, my_dev_set.csv),
    else of the nearest folder whose name has the word for one (default/train_prefs/0000.parquet); None where nothing
    says so. Of the root itself only a name that is such a word counts.
    """
    stem = stem_of(file)
    shard = _SHARD.fullmatch(stem)
    name = shard["split"] if shard else stem
    said = _said(name)
    if len(said) == 1:
        return _WORDS.get(name.lower(), name) if shard else said.pop()
    for folder in reversed(file.relative_to(root).parts[:-1]):
        if len(_said(folder)) == 1:
            return _WORDS.get(folder.lower(), folder)
    if root.name.lower() in _WORDS:
        return _WORDS[root.name.lower()]
    return name if shard and name.lower() not in _GENERIC else None


def of_split(files: Sequence[Path], root: Path, split: str | None, named: Path | None = None) -> list[Path]:
    """The files of the split that was asked for, or all where there is one. Raises `UserError` where the names leave
    open what is meant; it speaks of `named`, or else of the root.
    """
    named = named or root
    found = {file: split_of(file, root) for file in files}
    names = sorted({name for name in found.values() if name})
    told = f"the split{'s' * (len(names) > 1)} {', '.join(names[:20])}" if names else "no split in a file's name"
    if split is None:
        if len(set(found.values())) > 1:
            others = [str(file.relative_to(root)) for file, name in found.items() if name is None]
            beside = f" and {', '.join(others[:3])} of no split" if others else ""
            raise UserError(f"{named} has {told}{beside}. Set `prompts.split` to one of them, or name a file.")
        return list(files)
    for wanted in (split, _WORDS.get(split.lower(), split)):
        if chosen := [file for file, name in found.items() if wanted in (name, stem_of(file))]:
            return chosen
    says_nothing = len(set(found.values())) == 1 and not any(map(_said, names))
    if says_nothing and (_WORDS.get(split.lower()) == "train" or split == root.name):
        return list(files)  # `datasets` calls files whose names say nothing "train"
    slice_ = " Parts of a split such as train[:100] are for the Hub; see `prompts.limit`." if "[" in split else ""
    there = "one that is there" if names else "train"
    raise UserError(f"{named} has {told}, not {split}. Set `prompts.split` to {there}, or leave it out.{slice_}")


def says_split(file: Path) -> bool:
    """Whether a file's own name has the word for a split."""
    return bool(_said(stem_of(file)))


def _said(name: str) -> set[str]:
    """The splits that a name has words for: the words are parted by signs, digits and capitals."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name)
    apart = re.sub(r"(?i)\b(held|hold)[-_ ]out", r"\1out", apart.replace("_", "-"))
    return {_WORDS[word] for word in re.split(r"[^a-z]+", apart.lower()) if word in _WORDS}
