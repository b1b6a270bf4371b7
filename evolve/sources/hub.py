"""Datasets of the Hub, through `datasets`: NAME[:CONFIG][@REVISION], read at one commit."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evolve.sources.lines import Row
from evolve.sources.location import KINDS, absent
from evolve.sources.rows import BATCH, Source, rows_of_batch
from prompts.display import redacted
from prompts.errors import UserError

_NAME = re.compile(r"(?P<name>(?:[\w-][\w.-]*/)?[\w-][\w.-]*)(?::(?P<config>[\w.+-]+))?(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def open_hub(source: str, split: str | None) -> Source:
    """A split of a dataset; None is the only split there is. Raises UserError.

    `commit` of the source is the one whose rows are read. Without a connection the rows of an earlier load are read, if
    no other commit is asked for.
    """
    builder, commit = _look_up(source, split)
    with _told(source, split):
        known = list(builder.info.splits or {})
        if split is None and len(known) > 1:  # before any is fetched, where their names are known by then
            raise UserError(_splits(source, known))
        builder.download_and_prepare()
        found = builder.as_dataset(split=split)
    if isinstance(found, dict):  # no split was asked for
        if len(found) > 1:
            raise UserError(_splits(source, list(found)))
        found = next(iter(found.values()))
    if not len(found):
        raise UserError(f"{source}, split {split}, has no rows. Expected prompts; choose another split or dataset.")

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for table in found.select_columns(list(wanted)).with_format("arrow").iter(BATCH):
            for batch in table.to_batches():
                yield from rows_of_batch(batch)

    return Source(tuple(found.column_names), rows, commit)


def pinned_source(source: str, earlier: str = "") -> str:
    """`source` as NAME[:CONFIG]@COMMIT, at the commit that its branch has now; what is no dataset of the Hub, or can't
    be looked up, as it is.

    `earlier` is what the same run had before: where that is the same dataset, its commit stays.
    """
    if not _NAME.fullmatch(source) or _COMMIT.fullmatch(source.partition("@")[2]):
        return source
    if "@" not in source and _COMMIT.fullmatch(earlier.removeprefix(f"{source}@")):
        return earlier
    try:
        return at_commit(source, _look_up(source, None)[1])
    except UserError:
        return source  # opening it says why


def at_commit(source: str, commit: str) -> str:
    """The name under which a source of the Hub is read at `commit` for good."""
    return f"{source.partition('@')[0]}@{commit}" if commit else source


def _look_up(source: str, split: str | None) -> tuple[Any, str]:
    """What makes the dataset, and the commit that it is at."""
    name, config, revision = _named(source)
    import datasets

    with _told(source, split):
        builder = datasets.load_dataset_builder(name, config, revision=revision)
    return builder, _commit_of(builder, source, revision)


@contextmanager
def _told(source: str, split: str | None) -> Iterator[None]:
    import datasets
    import httpx

    try:
        yield
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError, httpx.HTTPError) as error:
        raise UserError(_trouble(source, split, error)) from error


def _named(source: str) -> tuple[str, str | None, str | None]:
    named = _NAME.fullmatch(source)
    if named is None or len(source) > 255:
        raise UserError(absent(source))
    from datasets import packaged_modules

    name, config, revision = named.groups()
    # `datasets` takes these names for ways to read the working directory.
    if name in {module.name for module in pkgutil.iter_modules(packaged_modules.__path__)}:
        raise UserError(
            f"{source} is the name of a file format, not of a dataset. Give the path of a file ({', '.join(KINDS)}), "
            "or a Hub dataset as OWNER/NAME."
        )
    return name, config, revision


def _commit_of(builder: Any, source: str, revision: str | None) -> str:
    """The commit that `datasets` reads: it keeps what it loaded in a folder of that name. Without a connection it takes
    any commit that it has for any revision, which is not what was asked for.
    """
    commit = builder.hash if _COMMIT.fullmatch(builder.hash or "") else ""
    is_old = type(builder).__module__.endswith("packaged_modules.cache.cache")
    if revision and revision != commit and (is_old or _COMMIT.fullmatch(revision)):
        raise UserError(
            f"{source} can't be looked up on the Hub, and what was loaded before is {commit or 'of no known commit'}. "
            f"Connect and try again, or name {at_commit(source, commit or 'COMMIT')} if that is meant."
        )
    return commit


def _splits(source: str, names: Sequence[str]) -> str:
    return f"{source} has the splits {', '.join(names)}. Set `prompts.split` to one of them."


def _trouble(source: str, split: str | None, error: Exception) -> str:
    said = redacted(" ".join(str(error).split()))[:300]
    if isinstance(error, ConnectionError) or "offline" in said.lower() or type(error).__module__.startswith("httpx"):
        out = f"Connect and try again, or name a local file ({', '.join(KINDS)}) or a folder of such files."
    elif "gated" in said.lower() or "authenticat" in said.lower():
        out = "If it is gated, accept its terms on its page and set HF_TOKEN; or name a local file."
    elif isinstance(error, FileNotFoundError):
        out = "Check the spelling; for a private dataset set HF_TOKEN; for a local file give its path."
    elif "onfig" in said:
        out = "Name the configuration: NAME:CONFIG."
    else:
        out = "Set `prompts.split` to a split that is there, or download the data and name the file."
    return f"{source} (split {split}) can't be loaded from the Hub: {said}. {out}"
