"""A server on this machine that speaks the protocol of the Hub: one dataset, its branches and its two commits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from places import ROOT

OLD, NEW = "a" * 40, "b" * 40
NAME = "owner/name"


class Hub(ThreadingHTTPServer):
    """Commits by branch and name, the files of each commit, and what was asked for."""

    def __init__(self, n_rows: int) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refs = {"main": OLD, "old": OLD}
        self.asked: list[str] = []
        self.files = {
            commit: {f"data/{split}.jsonl": _rows(f"{split} of {commit[:1]}", n_rows) for split in splits}
            for commit, splits in ((OLD, ("train",)), (NEW, ("train", "test")))
        }

    def commit(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.files else None)


def _rows(said: str, n: int) -> bytes:
    prompts = [said, *(f"{said}, number {i}: write a list" for i in range(1, n))]
    return "".join(json.dumps({"prompt": one}) + "\n" for one in prompts).encode()


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
        self.server.asked.append(path)
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


@contextmanager
def serving(n_rows: int = 1) -> Iterator[Hub]:
    server = Hub(n_rows)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def environment(hub: Hub, home: Path, *, offline: bool = False) -> dict[str, str]:
    """Of a program that has this Hub and its cache in `home`."""
    found = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}", "HF_HOME": str(home)}
    return found | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "01"[offline]}
