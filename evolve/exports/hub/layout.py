"""The files of a dataset as they lie on the Hub: card, manifest, and a parquet file for each configuration."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.datasets.card import card
from evolve.datasets.folder import read_manifest
from evolve.exports.hub.held_out import write_sides
from evolve.exports.hub.public import public
from evolve.exports.split import Split
from evolve.pool.files import told
from evolve.pool.json_files import json_bytes
from prompts.errors import UserError

CARD, MANIFEST = "README.md", "manifest.json"
PARQUET = {"train": "train.parquet", "selected": "selected.parquet"}
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class HubFile:
    """A file to be pushed: where, what, and the two digests that the Hub may know it by."""

    path: str
    content: bytes | Path
    size: int
    sha256: str
    git: str  # git's id of the content


@dataclass(frozen=True)
class Layout:
    """All files of a dataset, and what its manifest says."""

    manifest: dict[str, Any]
    files: tuple[HubFile, ...]

    @property
    def title(self) -> str:
        """The dataset in a line."""
        return title(self.manifest)

    @property
    def held_out(self) -> list[str]:
        """What is held out, in a line for each configuration."""
        splits = self.manifest.get("held_out", {}).get("splits", {})
        return [
            f"{config}: " + ", ".join(f"{one['pairs']:,} pairs in {side}" for side, one in sides.items())
            for config, sides in splits.items()
        ]


def title(manifest: dict[str, Any]) -> str:
    """What a manifest is of, in a line."""
    ranking = manifest["ranking"]
    alpha = f" (alpha {ranking['alpha']:g})" if ranking["metric"] == "map" else ""
    recipe = manifest["recipe"]
    return f"{recipe['name']}, iteration {manifest['iteration']}: {recipe['algorithm']} by {ranking['metric']}{alpha}"


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two manifests are of one dataset: made of the same, in the same iteration, selected in the same way."""
    return _identity(one) == _identity(other)


@contextmanager
def layout_of(folder: Path, repo: str, revision: str, split: Split | None = None) -> Iterator[Layout]:
    """The files of the dataset in `folder` for the repository, with `split` its two sides apart; they are there while
    the context is open. Nothing else of the run is looked at.

    Raises `UserError` if the dataset is damaged, or holds no pairs.
    """
    import pyarrow as pa

    manifest = read_manifest(folder)
    n, n_selected = (_n_rows(folder / name) for name in PARQUET.values())
    if not manifest or n != manifest["rows"]["train"]["kept"]:
        raise _damaged(folder, "its manifest does not fit its rows")
    if not n:
        raise UserError(f"{folder} holds no pairs: there is nothing to push. `evolve status` says where rows went.")
    said = public(manifest)
    with ExitStack() as stack:
        names = [PARQUET["train"], *([PARQUET["selected"]] if n_selected else [])]
        if split:
            with told(Path(tempfile.gettempdir())):
                scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                splits = write_sides(folder, split, scratch)
            except (pa.ArrowException, OSError) as error:
                raise _damaged(folder, str(error)) from error
            said["held_out"] = {"test": split.asked, "splits": splits}
            folder, names = scratch, [one["path"] for sides in splits.values() for one in sides.values()]
        with told(folder):
            parquet = [_of_parquet(folder / name, name) for name in names]
        yield _layout(said, parquet, repo, revision, n_selected > 0)


def _layout(said: dict[str, Any], parquet: list[HubFile], repo: str, revision: str, has_selected: bool) -> Layout:
    """The parquet files with the card and the manifest that go with them."""
    written = _of_bytes(CARD, card(said, repo, revision, has_selected=has_selected).encode())
    # So that what was edited on the Hub is known from what was pushed.
    said["files"] = {file.path: {"sha256": file.sha256, "git": file.git} for file in (written, *parquet)}
    return Layout(said, (written, _of_bytes(MANIFEST, json_bytes(said)), *parquet))


def _identity(manifest: dict[str, Any]) -> Any:
    recipe = manifest.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    return manifest.get("made_of"), manifest.get("iteration"), recipe.get("algorithm"), recipe.get("selection")


def _n_rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged ({why[:200]}). `evolve select` with the same options writes the dataset anew.")


def _of_bytes(path: str, content: bytes) -> HubFile:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return HubFile(path, content, len(content), hashlib.sha256(content).hexdigest(), git.hexdigest())


def _of_parquet(file: Path, path: str) -> HubFile:
    size = file.stat().st_size
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            sha256.update(block)
            git.update(block)
    return HubFile(path, file, size, sha256.hexdigest(), git.hexdigest())
