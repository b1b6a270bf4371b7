"""Datasets of the Hub, from a server on this machine that speaks its protocol: a revision is one commit, and stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from evolve.sources.hub import pinned_source
from places import ROOT

OLD, NEW = "a" * 40, "b" * 40
NAME = "owner/name"


class Hub(ThreadingHTTPServer):
    """Commits by branch and name, and the files of each commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refs = {"main": OLD, "old": OLD}
        self.files = {
            commit: {f"data/{split}.jsonl": f'{{"prompt": "{split} of {commit[:1]}"}}\n'.encode() for split in splits}
            for commit, splits in ((OLD, ("train",)), (NEW, ("train", "test")))
        }

    def commit(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.files else None)


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == f"/api/datasets/{NAME}":
            path += "/revision/main"
        for prefix in (f"/api/datasets/{NAME}/", f"/datasets/{NAME}/"):
            if path.startswith(prefix):
                what, _, rest = path.removeprefix(prefix).partition("/")
                revision, _, file = rest.partition("/")
                return self.tell(what, self.server.commit(revision), file)
        return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def tell(self, what: str, commit: str | None, path: str) -> None:
        if commit is None:
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = self.server.files[commit]
        if what == "revision":
            siblings = [{"rfilename": name} for name in files]
            return self.send_json({"id": NAME, "sha": commit, "siblings": siblings, "private": False})
        if what in ("tree", "paths-info"):
            found = [{"type": "file", "path": n, "size": len(d), "oid": commit} for n, d in files.items() if path in n]
            folders = [{"type": "directory", "path": "data", "oid": commit, "size": 0}] if not path else []
            return self.send_json(folders + found)
        if what == "resolve" and path in files:
            return self.send(200, files[path], {"X-Repo-Commit": commit, "ETag": f'"{commit}{path}"'})
        return self.send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})

    def send_json(self, found: Any) -> None:
        self.send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


ASK = """
import json, sys
from evolve.sources.hub import pinned_source
from evolve.sources.prompts import load_prompts
from prompts.errors import UserError
for source, split in json.loads(sys.argv[1]):
    try:
        drawn = load_prompts(source, split=split)
        print(json.dumps([pinned_source(source), drawn.commit, *(prompt.instruction for prompt in drawn.prompts)]))
    except UserError as error:
        print(json.dumps(str(error)))
"""


def ask(hub: Hub, home: Path, *asked: tuple[str, str | None]) -> list[Any]:
    """What a program of its own is told of each source: `datasets` reads the Hub's address when it is imported."""
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment["HF_HUB_OFFLINE"] = "0" if hub.refs else "1"
    command = [sys.executable, "-c", ASK, json.dumps(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_revision_is_read_at_one_commit(hub: Hub, tmp_path: Path) -> None:
    hub.refs["main"] = NEW
    splits, test, old, pinned, branch, commit, absent, train = ask(
        hub,
        tmp_path,
        (NAME, None),
        (NAME, "test"),
        (f"{NAME}@old", None),
        (f"{NAME}@{OLD}", None),
        (f"{NAME}@absent", None),
        (f"{NAME}@{'c' * 40}", None),
        ("owner/absent", None),
        (NAME, "validation"),
    )
    assert "has the splits train, test. Set `prompts.split`" in splits
    assert test == [f"{NAME}@{NEW}", NEW, "test of b"]
    assert old == pinned == [f"{NAME}@{OLD}", OLD, "train of a"]
    for told in (branch, commit):
        assert "doesn't exist" in told
    assert "'owner/absent' doesn't exist" in absent
    assert "validation" in train


def test_without_a_connection_no_other_commit_than_the_one_asked_for_is_read(hub: Hub, tmp_path: Path) -> None:
    """`datasets` gives what it has for whatever revision is asked for."""
    assert ask(hub, tmp_path, (NAME, None)) == [[f"{NAME}@{OLD}", OLD, "train of a"]]
    hub.refs.clear()
    *same, branch, other, absent = ask(
        hub,
        tmp_path,
        (NAME, None),
        (f"{NAME}@{OLD}", None),
        (f"{NAME}@old", None),
        (f"{NAME}@{NEW}", None),
        ("a/b", None),
    )
    assert same == [[f"{NAME}@{OLD}", OLD, "train of a"]] * 2
    for told in (branch, other):
        assert f"what was loaded before is {OLD}" in told
    assert "Connect and try again" in absent


def test_a_commit_stays_for_a_run() -> None:
    assert pinned_source(NAME, f"{NAME}@{OLD}") == f"{NAME}@{OLD}"
    assert pinned_source(f"{NAME}@{NEW}", f"{NAME}@{OLD}") == f"{NAME}@{NEW}"
    assert pinned_source("/data/x.jsonl", f"{NAME}@{OLD}") == "/data/x.jsonl"
    assert pinned_source(f"{NAME}:german", f"{NAME}:german@{OLD}") == f"{NAME}:german@{OLD}"
    assert pinned_source("text") == "text"  # no dataset: opening it says so
