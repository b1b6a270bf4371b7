"""A server on this machine that speaks the part of the Hub's protocol that huggingface_hub uses to write a dataset:
repositories, branches, commits, git-lfs. What it is sent it keeps in memory, and it can fail in the ways a network can.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from evolve.exports.hub import remote
from fake_hub_answers import TOKEN, Answers
from places import ROOT


@dataclass(frozen=True)
class Commit:
    """The files of a commit; those named in `large` are in git-lfs."""

    files: dict[str, bytes]
    large: frozenset[str]
    message: str
    parent: str

    @property
    def id(self) -> str:
        told = [sorted((name, hashlib.sha1(data).hexdigest()) for name, data in self.files.items())]
        return hashlib.sha1(repr([told, self.message, self.parent]).encode()).hexdigest()


@dataclass
class Repository:
    private: bool
    branches: dict[str, str] = field(default_factory=dict)  # names to commits
    commits: dict[str, Commit] = field(default_factory=dict)

    def add(self, branch: str, files: dict[str, bytes], large: Iterable[str], message: str) -> str:
        """Commit `files`, all that are there then, to a branch; the commit's id."""
        commit = Commit(files, frozenset(large), message, self.branches.get(branch, ""))
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        return commit.id

    def head(self, branch: str = "main") -> Commit:
        return self.commits[self.branches[branch]]

    def find(self, revision: str) -> Commit | None:
        return self.commits.get(self.branches.get(revision, revision))


@dataclass
class Fault:
    """What happens to requests whose method and path hold `where`, so often: a status; "drop": the connection is closed
    without an answer; "lost": it is done, then the connection is closed; "stall" and "hold": before, or after it is
    done, nothing comes until `go` is set.
    """

    where: str
    what: int | str
    times: int = 1
    go: Event = field(default_factory=Event)
    reached: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)

    def hold(self) -> None:
        """Wait for `go`, a minute at most."""
        self.reached.set()
        self.go.wait(60)


class FakeHub(ThreadingHTTPServer):
    """The Hub: its repositories, all requests that came, and the faults that it is to have."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}  # what git-lfs holds, by sha256
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.faults: list[Fault] = []
        self.lock = Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fail(self, where: str, what: int | str, times: int = 1) -> Fault:
        self.faults.append(Fault(where, what, times))
        return self.faults[-1]

    def fault_of(self, request: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.where in request and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def make(self, name: str, *, private: bool = True, **files: bytes) -> Repository:
        """A repository with its first commit; names of files have __ for a dot."""
        made = self.repositories[name] = Repository(private)
        content = {".gitattributes": b"*.parquet filter=lfs\n"} | {
            key.replace("__", "."): data for key, data in files.items()
        }
        made.add("main", content, (), "initial commit")
        return made

    def sent(self, what: str) -> list[str]:
        """The requests whose method and path hold `what`."""
        return [request for request in self.requests if what in request]

    def write(self, name: str, folder: Path, branch: str = "main") -> Path:
        """The files of a branch as a folder, as a clone of the repository has them."""
        for path, data in self.repositories[name].head(branch).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    server = FakeHub()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        for fault in server.faults:
            fault.go.set()
        server.shutdown()
        server.server_close()


def be_the_hub(server: FakeHub, monkeypatch: pytest.MonkeyPatch, login: Path) -> None:
    """Make the server the Hub of this process, with a token that may write in the environment and nobody logged in."""
    from huggingface_hub import constants

    path = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    changed = {
        "ENDPOINT": server.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.endpoint + path,
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # the server speaks git-lfs
        "HF_TOKEN_PATH": str(login / "token"),
        "HF_STORED_TOKENS_PATH": str(login / "stored_tokens"),
    }
    for name, value in changed.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def environment(server: FakeHub, home: Path) -> dict[str, str]:
    """The environment of a program of its own that has the server for its Hub."""
    names = {"HF_ENDPOINT": server.endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    return os.environ | names | {"HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
