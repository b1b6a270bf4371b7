"""Rows from wherever prompts are kept: local files by their ending, folders of parquet, datasets of the Hub.

Nothing is held: each call of `Source.rows` reads the source again, a row at a time (a .json list excepted, which has
to be parsed whole). A line that can't be read is an `Unreadable` in the row's place; a source that can't be read is a
`UserError`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evolve.sources.lines import READERS, Row
from prompts.errors import UserError

KINDS = (".parquet", *READERS)
_PEEK = 100  # rows of a text file that are looked at for column names
_BATCH = 1000

_HUB_NAME = re.compile(
    r"(?P<name>(?:[\w-][\w.-]*/)?[\w-][\w.-]*)(?::(?P<config>[\w.+-]+))?(?:@(?P<revision>[\w./-]+))?"
)
_SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-\d{5}")


@dataclass(frozen=True)
class Source:
    """An opened source: its columns, the identity of its content, and a way to read its rows (the columns named)."""

    columns: tuple[str, ...]
    fingerprint: str
    rows: Callable[[Sequence[str]], Iterator[Row]]


def open_source(source: str, split: str | None = None) -> Source:
    """Find out what `source` is and open it.

    A local path, or NAME[:CONFIG][@REVISION] of a Hub dataset. `split` counts for Hub datasets and for folders of
    parquet whose file names announce one (train-00000-of-00002.parquet); a single file has no splits. Raises UserError.
    """
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _open_folder(path, split)
        if path.is_file():
            return _open_file(path)
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror or error}). Check its permissions.") from error
    if path.is_absolute() or path.suffix.lower() in KINDS:
        raise UserError(_absent(source))
    return open_hub(source, split)


def _absent(source: str) -> str:
    return f"No file at {source}. Expected {', '.join(KINDS)}, a folder of .parquet, or a Hub dataset's name."


def _open_file(path: Path) -> Source:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UserError(f"{path} ends in {kind or 'nothing'}. Expected one of {', '.join(KINDS)}; convert it first.")
    if kind == ".parquet":
        return _open_parquet([path])
    read = READERS[kind]
    seen = (row for row in islice(read(path), _PEEK) if isinstance(row, dict))
    columns = dict.fromkeys(key for row in seen for key in row)
    return Source(tuple(columns), _digest([path]), lambda _: read(path))


def _open_folder(folder: Path, split: str | None) -> Source:
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise UserError(
            f"{folder} has no .parquet file. Expected a folder of parquet, or name one file of {', '.join(KINDS)}."
        )
    splits = {file: shard["split"] for file in files if (shard := _SHARD.fullmatch(file.stem))}
    if len(splits) == len(files) and (split is not None or len(set(splits.values())) > 1):
        files = [file for file in files if splits[file] == split]
        if not files:
            there = ", ".join(sorted(set(splits.values())))
            raise UserError(f"{folder} has the splits {there}, not {split}. Set `prompts.split` to one of them.")
    return _open_parquet(files)


def _open_parquet(files: list[Path]) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, None] = {}
    for file in files:
        try:
            columns |= dict.fromkeys(pq.read_schema(file).names)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{file} can't be read as parquet ({error}). Make the file again.") from error

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for file in files:
            with pq.ParquetFile(file) as table:
                there = [name for name in wanted if name in table.schema_arrow.names]
                for batch in table.iter_batches(_BATCH, columns=there):
                    yield from batch.to_pylist()

    return Source(tuple(columns), _digest(files), rows)


def open_hub(source: str, split: str | None) -> Source:
    """A split of NAME[:CONFIG][@REVISION] through `datasets`; None is the only split there is. Raises UserError."""
    named = _HUB_NAME.fullmatch(source)
    if named is None:
        raise UserError(_absent(source))
    name, config, revision = named.groups()
    import datasets

    try:
        found = datasets.load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise UserError(_hub_trouble(source, split, error)) from error
    if isinstance(found, dict):  # no split was asked for
        if len(found) > 1:
            raise UserError(f"{source} has the splits {', '.join(found)}. Set `prompts.split` to one of them.")
        found = next(iter(found.values()))
    if not found.cache_files:
        raise UserError(f"{source}, split {split}, has no rows. Expected prompts; choose another split or dataset.")

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for batch in found.select_columns(list(wanted)).iter(_BATCH):
            yield from (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))

    # `datasets` keeps a dataset of the Hub in a folder named by its commit.
    commit = Path(found.cache_files[0]["filename"]).parent.name
    return Source(tuple(found.column_names), f"{source.partition('@')[0]}/{found.split}@{commit}", rows)


def _hub_trouble(source: str, split: str | None, error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    if isinstance(error, ConnectionError) or "offline" in said.lower():
        out = f"Connect and try again, or name a local file ({', '.join(KINDS)}) or folder of parquet."
    elif "gated" in said.lower() or "authenticat" in said.lower():
        out = "If it is gated, accept its terms on its page and set HF_TOKEN; or name a local file."
    elif isinstance(error, FileNotFoundError):
        out = "Check the spelling; for a private dataset set HF_TOKEN; for a local file give its path."
    elif "onfig" in said:
        out = "Name the configuration: NAME:CONFIG."
    else:
        out = "Set `prompts.split` to a split that is there, or download the data and name the file."
    return f"{source} (split {split}) can't be loaded from the Hub: {said}. {out}"


def _digest(files: Sequence[Path]) -> str:
    total = hashlib.blake2b(digest_size=12)
    for path in files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()
