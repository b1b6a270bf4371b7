"""Datasets of the Hub, through `datasets`: NAME[:CONFIG][@REVISION], read at one commit."""

from __future__ import annotations

import logging
import pkgutil
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
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

    `commit` of the source is the one whose rows are read. A commit that was loaded before is read from the cache of
    `datasets`; without a connection so is a name without one, unless what is there is another revision.
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


def pinned_source(source: str) -> str:
    """`source` as NAME[:CONFIG]@COMMIT, at the commit that its branch has now; what has a commit, or is no dataset of
    the Hub, as it is. Raises UserError for a dataset that can't be looked up.
    """
    if not _NAME.fullmatch(source) or _COMMIT.fullmatch(source.partition("@")[2]):
        return source
    return at_commit(source, _look_up(source, None)[1])


def at_commit(source: str, commit: str) -> str:
    """The name under which a source of the Hub is read at `commit` for good."""
    return f"{source.partition('@')[0]}@{commit}" if commit else source


def _look_up(source: str, split: str | None) -> tuple[Any, str]:
    """What makes the dataset, and the commit that it is at."""
    name, config, revision = _named(source)
    import datasets

    for library in ("datasets", "huggingface_hub"):  # they print beside the program's log what they log
        logging.getLogger(library).handlers.clear()
    at = revision if revision and _COMMIT.fullmatch(revision) else ""
    if at and (loaded := _loaded(name, config or "default", at)):
        return loaded, at
    try:
        with _told(source, split):
            builder = datasets.load_dataset_builder(name, config, revision=revision)
        return builder, _commit_of(builder, source, revision)
    except UserError:
        if at and (loaded := _loaded(name, config or "*", at)):
            return loaded, at
        raise


def _loaded(name: str, config: str, commit: str) -> Any:
    """What makes the dataset at a commit that was loaded before; None where it was not, or in several configurations.

    A commit does not change, so nothing need be looked up. Without a connection `datasets` itself takes the newest of
    its cache, at whatever commit.
    """
    from datasets.config import HF_DATASETS_CACHE
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache

    *owner, last = name.split("/")
    folder = Path(HF_DATASETS_CACHE).expanduser() / "___".join([*owner, camelcase_to_snakecase(last)])
    found = [path for path in folder.glob(f"{config}/*/{commit}") if (path / "dataset_info.json").is_file()]
    if len(found) != 1:
        return None
    known, version, _ = found[0].parts[-3:]
    return Cache(repo_id=name, dataset_name=last, config_name=known, version=version, hash=commit)


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
