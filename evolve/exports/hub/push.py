"""`evolve push`: a dataset of a run as one commit of a dataset repository on the Hub, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.exports.hub.layout import CARD, MANIFEST, HubFile, Layout, is_same, layout_of, title
from evolve.exports.hub.remote import Head, Hub
from evolve.exports.split import Split
from prompts.display import holds_secret, shown
from prompts.errors import UserError

MAIN = "main"
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}(?<![./])")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OF_THE_HUB = {".gitattributes"}  # in every repository from its beginning
_NAMED = 5


@dataclass(frozen=True)
class Target:
    """Where a dataset goes and what may happen there, checked."""

    repo: str
    branch: str = MAIN
    public: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        _check_repo(self.repo)
        if not _BRANCH.fullmatch(self.branch) or _COMMIT.fullmatch(self.branch):
            raise UserError(
                f"--revision {shown(self.branch, one_line=True)!r} is no branch. Expected a name such as main or eva; "
                "one that is not there yet is made."
            )


def push(
    folder: Path, target: Target, *, split: Split | None = None, message: str | None = None, dry_run: bool = False
) -> str:
    """Bring the dataset in `folder` to the Hub, with `split` as two sides, and return what was done, in lines; with
    `dry_run` what would be, for which neither a network nor a token is needed.

    Raises `UserError` for what a user can mend. Killed at any moment it has added one commit or none.
    """
    with layout_of(folder, target.repo, "" if target.branch == MAIN else target.branch, split) as layout:
        message = layout.title if message is None else message
        if not message.strip() or holds_secret(message):
            raise UserError("--message is empty or holds a secret. Expected a line that says what is pushed.")
        if dry_run:
            return _would(layout, target, message)
        pushing = _Push(Hub(target.repo, target.branch), layout, target, message)
        return pushing.hub.told(pushing.attempt)


@dataclass
class _Push:
    hub: Hub
    layout: Layout
    target: Target
    message: str
    _sent: bool = False  # by an attempt whose answer was lost

    def attempt(self) -> str:
        """Look at what is there and add what differs, in one commit."""
        private = self._repository()
        head, is_new = self._head()
        edited, stale = ([], []) if is_new or self.target.force else self._check(head)
        files = [file for file in self.layout.files if not head.has(file) and file.path not in edited]
        commit = head.commit
        if files or stale:
            self._sent = True
            commit = self.hub.commit(files, self.message, head.commit, stale)
        return self._said(files, commit, private, edited, stale, head)

    def _repository(self) -> bool:
        """Whether the repository, made if need be, is private. Never is a public one filled that was not meant."""
        private = self.hub.visibility()
        if private is None:
            self.hub.create(private=not self.target.public)
            private = self.hub.visibility()
        if private is None:
            raise UserError(
                f"{self.target.repo} is there, and this token may not see it. Take one that may, or a new name."
            )
        if not private and not self.target.public:
            raise UserError(
                f"{self.hub.url} is public: everybody could read the dataset. Give --public if that is meant, or make "
                "the repository private on its page of settings."
            )
        return private

    def _head(self) -> tuple[Head, bool]:
        """The newest commit of the branch, and whether the branch has nothing of its own yet."""
        head = self.hub.head()
        if head is None:
            self.hub.branch_off()
            head = self.hub.head()
        if head is None:
            raise UserError(f"{self.hub.url} has no branch {self.target.branch}, and none could be made of that name.")
        main = head if self.target.branch == MAIN else self.hub.head(MAIN)
        return head, self.target.branch != MAIN and main is not None and main.commit == head.commit

    def _check(self, head: Head) -> tuple[list[str], list[str]]:
        """The files that were edited on the Hub and stay, and those of an earlier push that this one has not and
        nobody has edited: they go. Raises `UserError` where something else lies there.
        """
        others = sorted(set(head.digests) - _OF_THE_HUB)
        if not others:
            return [], []
        there = self.hub.manifest(head)
        if not there or not is_same(there, self.layout.manifest):
            named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED} more" if len(others) > _NAMED else "")
            what = f"another dataset ({_title(there)})" if there else f"other data ({named})"
            raise UserError(
                f"{shown(f'{self.hub.url} holds {what}', one_line=True)}. Give another name, --revision for a branch "
                "of its own, or --force to put this dataset's files over it; what else lies there stays."
            )
        edited = [file.path for file in self.layout.files if file.path != MANIFEST and _is_edited(file, head, there)]
        if edited not in ([], [CARD]):
            raise UserError(
                f"{', '.join(edited)} at {self.hub.url} was changed there since it was pushed. --force replaces it; "
                "--revision pushes to a branch of its own."
            )
        return edited, _stale(head, there, {file.path for file in self.layout.files})

    def _said(
        self, files: list[HubFile], commit: str, private: bool, edited: list[str], stale: list[str], head: Head
    ) -> str:
        at = f"{self.hub.url} ({_visible(private)}, revision {self.target.branch})"
        lines = [f"Pushed {self.layout.title}"] if self._sent else ["Nothing has changed since the last push."]
        lines.append(f"  {at}, commit {commit}")
        lines += [_line(file) for file in files]
        lines += [f"  {path} is gone: it was of an earlier push" for path in stale]
        lines += [f"  {line}" for line in self.layout.held_out]
        if edited:
            lines.append(f"{CARD} was edited on the Hub and stays as it is there (--force replaces it).")
        if private and self.target.public:
            lines.append("The repository was private before and stays so; its page of settings changes that.")
        ours = {file.path for file in self.layout.files}
        if self.target.force and (others := sorted(set(head.digests) - _OF_THE_HUB - ours)):
            lines.append(f"Left as they were: {shown(', '.join(others[:_NAMED]), one_line=True)}.")
        return "\n".join(lines)


def _stale(head: Head, there: dict[str, Any], now: set[str]) -> list[str]:
    """The files that were pushed with the manifest `there`, lie there unchanged, and are not among those of `now`."""
    pushed = there.get("files")
    return sorted(
        path
        for path, known in (pushed.items() if isinstance(pushed, dict) else ())
        if path not in now and isinstance(known, dict) and head.digests.get(path) in known.values()
    )


def _is_edited(file: HubFile, head: Head, there: dict[str, Any]) -> bool:
    """Whether a file on the Hub is neither what the manifest beside it was pushed with, nor what is to be pushed."""
    found = head.digests.get(file.path)
    pushed = there.get("files")
    known = pushed.get(file.path) if isinstance(pushed, dict) else None
    return found not in (None, file.sha256, file.git, *(known.values() if isinstance(known, dict) else ()))


def _would(layout: Layout, target: Target, message: str) -> str:
    from huggingface_hub.constants import ENDPOINT

    total = sum(file.size for file in layout.files)
    lines = [
        f"Would push {layout.title}",
        f"  {ENDPOINT}/datasets/{target.repo} ({_visible(not target.public)}, revision {target.branch})",
        *map(_line, layout.files),
        *(f"  {line}" for line in layout.held_out),
        f"{len(layout.files)} files, {total:,} bytes, in one commit: {shown(message, one_line=True)}",
    ]
    return "\n".join([*lines, "Nothing was uploaded, and the Hub was not asked."])


def _line(file: HubFile) -> str:
    return f"  {file.path:<16} {file.size:>13,} bytes  sha256 {file.sha256}"


def _visible(private: bool) -> str:
    return "private" if private else "public"


def _title(manifest: dict[str, Any]) -> str:
    try:
        return title(manifest)[:200]
    except (KeyError, TypeError, ValueError):
        return "of another version"


def _check_repo(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
        fits = bool(_REPO.fullmatch(repo))
    except HFValidationError:
        fits = False
    if not fits:
        raise UserError(
            f"{shown(repo, one_line=True)[:200]!r} is no name of a dataset on the Hub. Expected OWNER/NAME of letters, "
            "digits, '-', '_' and '.': your user name or an organization, and a name that you choose."
        )
