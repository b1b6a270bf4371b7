"""How `fake_hub.FakeHub` answers: the Hub's requests one by one, and how they fail."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from fake_hub import Commit, FakeHub, Fault, Repository

OWNER, TOKEN, READ_ONLY = "someone", "hf_" + "w" * 34, "hf_" + "r" * 34


class _Dropped(Exception):
    pass


class Answers(BaseHTTPRequestHandler):
    server: FakeHub
    fault: Fault | None = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_any()

    do_HEAD = do_POST = do_PUT = do_GET

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(request)
        self.server.bodies.append(body)
        self.fault = self.server.fault_of(request)
        what = self.fault and self.fault.what
        if self.fault and what == "stall":
            self.fault.hold()
        try:
            if what == "drop":
                raise _Dropped
            if isinstance(what, int):
                self.fault = None
                words = f"as the test wants it: {self.headers.get('Authorization')}"
                self.send(what, {"error": words}, {"X-Error-Code": "RepoNotFound"} if what == 404 else {})
            elif path.startswith("/lfs/"):
                self.server.large[path.removeprefix("/lfs/")] = body
                self.send(200, {})
            elif self.may(path, body):
                self.answer(path, body)
        except (_Dropped, BrokenPipeError, ConnectionResetError):
            self.drop()
        finally:
            if self.fault:
                self.fault.over.set()

    def may(self, path: str, body: bytes) -> bool:
        """Whether the token may do this; else that is answered."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in (TOKEN, READ_ONLY):
            self.send(
                401,
                {"error": "Invalid credentials"},
                {"X-Error-Message": "Invalid credentials in Authorization header"},
            )
            return False
        writes = self.command in ("POST", "PUT") and path != "/api/validate-yaml"
        other = path == "/api/repos/create" and json.loads(body).get("organization") != OWNER
        if writes and (token == READ_ONLY or other):
            self.send(403, {"error": "You don't have the rights to write here"})
            return False
        return True

    def answer(self, path: str, body: bytes) -> None:
        if path == "/api/whoami-v2":
            return self.send(200, {"name": OWNER, "type": "user"})
        if path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        for prefix in ("/api/datasets/", "/datasets/"):
            if path.startswith(prefix):
                owner, name, *rest = path.removeprefix(prefix).split("/")
                repository = self.server.repositories.get(f"{owner}/{name.removesuffix('.git')}")
                if repository is None:
                    return self.send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return self.of_repository(f"{owner}/{name}", repository, rest, body)
        return self.send(404, {"error": f"no such place: {path}"})

    def of_repository(self, name: str, repository: Repository, rest: list[str], body: bytes) -> None:
        what, revision = (rest + ["", ""])[:2]
        if what == "info":
            return self.batch(json.loads(body))
        if what == "branch":
            return self.branch(repository, "/".join(rest[1:]), json.loads(body).get("startingPoint", "main"))
        revision = revision or "main"
        commit = repository.find(revision)
        if commit is None:
            return self.send(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        if what in ("", "revision"):
            siblings = [{"rfilename": path} for path in commit.files]
            return self.send(200, {"id": name, "sha": commit.id, "private": repository.private, "siblings": siblings})
        if what == "tree":
            return self.send(200, [entry for entry in _entries(commit) if entry["path"]])
        if what == "preupload":
            return self.preupload(commit, json.loads(body))
        if what == "commit":
            return self.commit(name, repository, revision, [json.loads(line) for line in body.splitlines()])
        if what == "resolve":
            return self.resolve(commit, "/".join(rest[2:]))
        return self.send(404, {"error": f"no such place: {what}"})

    def validate(self, content: str) -> None:
        try:
            header = yaml.safe_load(content.split("---")[1])
            fits = all(isinstance(one["config_name"], str) for one in header["configs"])
        except (yaml.YAMLError, IndexError, KeyError, TypeError):
            fits = False
        errors = [] if fits else [{"message": "the header is no metadata of a dataset"}]
        self.send(200 if fits else 400, {"errors": errors, "warnings": []})

    def create(self, wish: dict[str, Any]) -> None:
        name = f"{wish['organization']}/{wish['name']}"
        if name in self.server.repositories:
            return self.send(409, {"error": "You already created this dataset repo"})
        self.server.make(name, private=wish.get("visibility") == "private")
        return self.send(200, {"url": f"{self.server.endpoint}/datasets/{name}"})

    def branch(self, repository: Repository, name: str, start: str) -> None:
        if name in repository.branches:
            return self.send(409, {"error": "Reference already exists"})
        commit = repository.find(start)
        assert commit is not None
        repository.branches[name] = commit.id
        return self.send(200, {})

    def preupload(self, commit: Commit, wish: dict[str, Any]) -> None:
        known = {entry["path"]: entry for entry in _entries(commit)}
        files = []
        for file in wish["files"]:
            mode = "lfs" if file["path"].endswith(".parquet") else "regular"
            there = known.get(file["path"])
            oid = there and (there["lfs"]["oid"] if "lfs" in there else there["oid"])
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.send(200, {"files": files, "commitOid": commit.id})

    def batch(self, wish: dict[str, Any]) -> None:
        objects = []
        for one in wish["objects"]:
            upload = {"upload": {"href": f"{self.server.endpoint}/lfs/{one['oid']}"}}
            objects.append(one if one["oid"] in self.server.large else one | {"actions": upload})
        self.send(200, {"transfer": "basic", "objects": objects})

    def commit(self, name: str, repository: Repository, branch: str, lines: list[dict[str, Any]]) -> None:
        header, *changes = lines
        head = repository.head(branch)
        if header["value"].get("parentCommit", head.id) != head.id:
            return self.send(412, {"error": "A commit has happened since. Please refresh and try again."})
        files, large = dict(head.files), set(head.large)
        for change in changes:
            value = change["value"]
            if change["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif change["key"] == "deletedFile" and value["path"] in files:
                del files[value["path"]]
                large.discard(value["path"])
            elif change["key"] == "lfsFile" and value["oid"] in self.server.large:
                files[value["path"]] = self.server.large[value["oid"]]
                large.add(value["path"])
            else:
                return self.send(400, {"error": f"{change['key']} can't be committed"})
        made = repository.add(branch, files, large, header["value"]["summary"])
        return self.send(200, {"commitUrl": f"{self.server.endpoint}/datasets/{name}/commit/{made}", "commitOid": made})

    def resolve(self, commit: Commit, path: str) -> None:
        if path not in commit.files:
            return self.send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        data = commit.files[path]
        etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit.id}
        return self.send(200, data, etag)

    def send(self, status: int, found: Any, headers: dict[str, str] | None = None) -> None:
        if self.fault and self.fault.what in ("lost", "hold"):
            if self.fault.what == "hold":
                self.fault.hold()
            raise _Dropped
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        kind = "application/octet-stream" if isinstance(found, bytes) else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # whoever asked has gone away
            self.connection.shutdown(socket.SHUT_RDWR)


def _entries(commit: Commit) -> list[dict[str, Any]]:
    """The top of a commit's tree as the Hub lists it."""
    entries: list[dict[str, Any]] = []
    for path in sorted({name.partition("/")[0] for name in commit.files}):
        data = commit.files.get(path)
        if data is None:
            entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
            continue
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\n".encode()
        )
        stored = pointer if path in commit.large else data
        entry = {"type": "file", "path": path, "size": len(data), "oid": _git_id(stored)}
        if path in commit.large:
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": len(pointer)}
        entries.append(entry)
    return entries


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
