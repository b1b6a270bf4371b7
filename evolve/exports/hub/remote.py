"""A dataset repository of the Hub, through huggingface_hub: what it holds, what is sent to it, what went wrong.

The token is the environment's (HF_TOKEN) or that of the Hub's own login; it is handed on and never shown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tenacity

from evolve.exports.hub.layout import MANIFEST, HubFile
from evolve.pool.json_files import Damaged, read_json
from prompts.display import redacted, shown
from prompts.errors import UserError

ATTEMPTS = 4
PAUSE, LONGEST_PAUSE = 1.0, 8.0  # seconds; each is twice the one before
TIMEOUT = 60.0  # seconds without a byte; huggingface_hub waits for ever
LARGEST_MANIFEST = 16 << 20  # bytes: a larger one is not ours
SHOWN = 300  # characters of the Hub's words
_PASSING = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Head:
    """The newest commit of a branch: its id, and what lies at its top: the digests of files (sha256 of large ones, else
    git's id), folders with none.
    """

    commit: str
    digests: dict[str, str]
    sizes: dict[str, int]

    def has(self, file: HubFile) -> bool:
        """Whether the file is there with just this content."""
        return self.digests.get(file.path) in (file.sha256, file.git)


class Hub:
    """The repository `repo` and one of its branches. What its methods raise, `told` turns into a `UserError`."""

    def __init__(self, repo: str, branch: str) -> None:
        from huggingface_hub import HfApi, get_token

        self.repo, self.branch = repo, branch
        self._token = get_token()
        if not self._token:
            raise UserError(
                "No token of the Hub is there. Make one that may write (Settings, Access Tokens on the Hub's pages) "
                "and set HF_TOKEN to it, or log in with `hf auth login`. --dry-run shows what would go up without one."
            )
        if not self._token.isascii() or not self._token.isprintable():
            raise UserError(
                "HF_TOKEN has characters that no token has. Copy the token anew, without anything around it."
            )
        self._api: Any = HfApi(token=self._token)
        self.endpoint = str(self._api.endpoint)
        self.url = f"{self.endpoint}/datasets/{repo}"

    def told(self, attempt: Callable[[], str]) -> str:
        """What `attempt` returns. What passes (a network that is gone, a busy Hub) is tried again, all else and what
        does not pass is a `UserError`.
        """
        from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled
        from huggingface_hub.utils import get_session

        def once() -> str:
            get_session().timeout = TIMEOUT
            return attempt()

        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_passes),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=PAUSE, max=LONGEST_PAUSE),
            reraise=True,
        )
        try:
            return str(tries(once))
        except OfflineModeIsEnabled as error:
            raise UserError("HF_HUB_OFFLINE is set: nothing can be pushed. Unset it, or give --dry-run.") from error
        except (HTTPError, OSError, ValueError, RuntimeError) as error:
            raise UserError(self._trouble(error)) from error

    def visibility(self) -> bool | None:
        """Whether the repository is private; None where there is none that the token may see."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return bool(self._api.dataset_info(self.repo, timeout=TIMEOUT).private)
        except RepositoryNotFoundError as error:
            if error.response.status_code == 401:  # of a token that is not taken, too
                self._api.whoami()
            return None

    def create(self, *, private: bool) -> None:
        """Make the repository. One that has come about meanwhile is left as it is."""
        from huggingface_hub.errors import HfHubHTTPError

        try:
            self._api.create_repo(self.repo, repo_type="dataset", private=private)
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise

    def head(self, branch: str | None = None) -> Head | None:
        """The newest commit of the branch; None where there is no such branch."""
        from huggingface_hub.errors import RevisionNotFoundError

        try:
            commit = str(self._api.dataset_info(self.repo, revision=branch or self.branch, timeout=TIMEOUT).sha)
        except RevisionNotFoundError:
            return None
        entries = list(self._api.list_repo_tree(self.repo, repo_type="dataset", revision=commit))
        files = [entry for entry in entries if hasattr(entry, "blob_id")]
        digests = {entry.path: "" for entry in entries}  # of folders
        digests |= {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
        return Head(commit, digests, {file.path: file.size for file in files})

    def branch_off(self) -> None:
        """Make the branch, where main is now."""
        self._api.create_branch(self.repo, branch=self.branch, repo_type="dataset", exist_ok=True)

    def manifest(self, head: Head) -> dict[str, Any]:
        """The content of the manifest in a commit; empty if there is none that this program has written."""
        if MANIFEST not in head.digests or head.sizes[MANIFEST] > LARGEST_MANIFEST:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(
                self.repo, MANIFEST, repo_type="dataset", revision=head.commit, local_dir=folder
            )
            try:
                return read_json(Path(path))
            except Damaged:
                return {}

    def commit(self, files: Iterable[HubFile], message: str, parent: str, gone: Iterable[str] = ()) -> str:
        """Upload the files, and remove those at the paths `gone`, in one commit on top of `parent`; its id. Nothing is
        there before all is.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [CommitOperationDelete(path_in_repo=path) for path in gone]
        operations += [CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=file.content) for file in files]
        done = self._api.create_commit(
            self.repo,
            operations,
            commit_message=message,
            repo_type="dataset",
            revision=self.branch,
            parent_commit=parent,
        )
        return str(done.oid)

    def _trouble(self, error: Exception) -> str:
        status = _status(error)
        words = self._words(error)
        again = "Run the same command again: it uploads only what is missing."
        if status == 401:
            return (
                f"The Hub does not take the token ({words}). Make a new one that may write and set HF_TOKEN to it, or "
                "log in again with `hf auth login`."
            )
        if status in (403, 404):
            return (
                f"The token may not write to {self.repo} ({words}). Take a token that may, and an owner that is you or "
                "an organization that you belong to."
            )
        if status == 412:
            return f"{self.url} has changed while it was pushed to; nothing was added. {again}"
        if status in _PASSING:
            return f"The Hub did not answer as it should, {ATTEMPTS} times ({words}). {again}"
        if status is not None:
            return f"The Hub refused ({words}). Nothing was added to {self.url}."
        return f"{self.endpoint} can't be reached, or does not answer as the Hub does ({words}). {again}"

    def _words(self, error: Exception) -> str:
        """What an error says, in a line, without the token."""
        said = getattr(error, "server_message", None) or str(error)
        said = " ".join(str(said).replace(self._token or "\0", "***").split())
        status = _status(error)
        kind = type(error).__name__ if status is None else f"status {status}"
        return shown(redacted(f"{kind}: {said}"), one_line=True)[:SHOWN]


def _status(error: Exception) -> int | None:
    """The status of an answer of the Hub; None where none came."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return int(status) if status is not None else None


def _passes(error: BaseException) -> bool:
    """Whether the same request may well be answered in a moment."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING
    return isinstance(error, HTTPError)
