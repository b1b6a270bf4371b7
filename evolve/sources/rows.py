"""Rows from wherever prompts are kept: local files by their ending, folders of parquet, datasets of the Hub.

Nothing is held: each call of `Source.rows` reads the source again, a row at a time (a .json list excepted, which has
to be parsed whole). A line that can't be read is an `Unreadable` in the row's place; a source that can't be read is a
`UserError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from evolve.sources.lines import READERS, Row, Unreadable
from evolve.sources.opening import kind_of
from evolve.sources.splits import of_split
from prompts.errors import UserError

KINDS = (".parquet", *READERS)
# Names that `datasets` takes for ways to read the working directory.
BUILDERS = frozenset(
    "arrow audiofolder cache csv eval folder generator hdf5 imagefolder json lance nifti pandas parquet pdffolder "
    "spark sql text videofolder webdataset xml".split()
)
_PEEK = 100  # rows of a text file that are looked at for column names
_BATCH = 1000

_HUB_NAME = re.compile(
    r"(?P<name>(?:[\w-][\w.-]*/)?[\w-][\w.-]*)(?::(?P<config>[\w.+-]+))?(?:@(?P<revision>[\w./-]+))?"
)


@dataclass(frozen=True)
class Source:
    """An opened source: its columns, and a way to read its rows (the columns named)."""

    columns: tuple[str, ...]
    rows: Callable[[Sequence[str]], Iterator[Row]]


def open_source(source: str, split: str | None = None) -> Source:
    """Find out what `source` is and open it.

    A local path, or NAME[:CONFIG][@REVISION] of a Hub dataset. `split` counts for Hub datasets, and for files whose
    names or folders announce one (evolve.sources.splits). Raises UserError.
    """
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return _open_folder(path, split)
        if path.is_file():
            return _open_files(of_split([path], path.parent, split) if split else [path])
        if path.exists():
            raise UserError(f"{path} is no regular file. Expected {', '.join(KINDS)}, or a folder of such files.")
    except (OSError, RuntimeError) as error:  # no such home
        raise UserError(
            f"{source} can't be read ({getattr(error, 'strerror', None) or error}). Check the path."
        ) from error
    except ValueError as error:  # a NUL in it
        raise UserError(f"{source!r} is no path ({error}).") from error
    if path.is_absolute() or source.startswith((".", "~")) or kind_of(path) in KINDS:
        raise UserError(_absent(source))
    return open_hub(source, split)


def _absent(source: str) -> str:
    return f"No file at {source}. Expected {', '.join(KINDS)}, a folder of .parquet, or a Hub dataset's name."


def _open_files(files: list[Path]) -> Source:
    """Files of one kind as one source."""
    kind = kind_of(files[0])
    if kind not in KINDS:
        raise UserError(
            f"{files[0]} ends in {kind or 'nothing'}. Expected one of {', '.join(KINDS)}; convert it first."
        )
    if kind == ".parquet":
        return _open_parquet(files)
    read = READERS[kind]
    seen = (row for row in islice(_each(read, files), _PEEK) if isinstance(row, dict))
    columns = dict.fromkeys(key for row in seen for key in row)
    return Source(tuple(columns), lambda _: _each(read, files))


def _each(read: Callable[[Path], Iterator[Row]], files: Sequence[Path]) -> Iterator[Row]:
    for file in files:
        yield from read(file)


def _open_folder(folder: Path, split: str | None) -> Source:
    """The files of a folder and of those below, if they are of one kind: .json counts where there is no other, for
    descriptions are written in it.
    """
    by_kind: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and file.is_file() and kind_of(file) in KINDS and file.name.lower() != "readme.txt":
            by_kind.setdefault(kind_of(file), []).append(file)
    if len(by_kind) > 1:
        by_kind.pop(".json", None)
    if len(by_kind) != 1:
        found = f"files of {' and '.join(by_kind)}" if by_kind else f"no {', '.join(KINDS)}"
        raise UserError(f"{folder} has {found}. Expected files of one kind: name one file, or a folder with one kind.")
    ((_, files),) = by_kind.items()
    return _open_files(of_split(files, folder, split))


def _open_parquet(files: list[Path]) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, None] = {}
    for file in files:
        try:
            columns |= dict.fromkeys(pq.read_schema(file).names)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{file} can't be read as parquet ({error}). Make the file again.") from error

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for file in files:
            try:
                with pq.ParquetFile(file) as table:
                    there = [name for name in wanted if name in table.schema_arrow.names]
                    for batch in table.iter_batches(_BATCH, columns=there):
                        yield from _rows_of(batch)
            except (pa.ArrowException, OSError) as error:
                raise UserError(f"{file} can't be read to its end ({error}). Fetch or make the file again.") from error

    return Source(tuple(columns), rows)


def _rows_of(batch: Any) -> Iterator[Row]:
    """The rows of a batch; one that Python can't hold (text not in UTF-8, a date out of range) costs itself alone."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for i in range(len(batch)):
            try:
                yield from batch.slice(i, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield Unreadable(f"a value that can't be read ({error})")


def open_hub(source: str, split: str | None) -> Source:
    """A split of NAME[:CONFIG][@REVISION] through `datasets`; None is the only split there is. Raises UserError."""
    named = _HUB_NAME.fullmatch(source)
    if named is None or len(source) > 255:
        raise UserError(_absent(source))
    name, config, revision = named.groups()
    if "/" not in name and name in BUILDERS:
        raise UserError(
            f"{source} is the name of a file format, not of a dataset. Give the path of a file ({', '.join(KINDS)}), "
            "or a Hub dataset as OWNER/NAME."
        )
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

    return Source(tuple(found.column_names), rows)


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
