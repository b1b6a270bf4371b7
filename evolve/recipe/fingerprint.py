"""The content of files as short digests, remembered, so that 16 GB of weights are read once."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from evolve.pool.files import write_file
from generation.checkpoint import resolve
from prompts import content_id
from prompts.errors import UserError

# Files of a model folder that decide what it computes.
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model")


def fingerprint(model: str) -> str:
    """Identity of a model: the digest of its files, or name and commit when it comes from the Hub's cache.

    Digests are remembered by path, size and time of change, so 16 GB of weights are read once.
    """
    if model.startswith("openai:"):
        from rewards.models.judge import TEMPLATE

        return content_id("judge", model, os.environ.get("OPENAI_BASE_URL"), TEMPLATE)
    if is_weightless(model):
        return model
    folder = resolve(model, weights=False)
    parts = folder.resolve().parts
    if parts[-2] == "snapshots":  # .../models--owner--name/snapshots/COMMIT
        return f"{model}@{parts[-1]}"
    files = sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern)})
    if not any(path.suffix == ".safetensors" for path in files):
        raise UserError(f"{folder} holds no model: expected config.json, a tokenizer and *.safetensors.")
    return content_id("model", [[path.name, file_digest(path)] for path in files])


def is_weightless(model: str) -> bool:
    """Whether a model's name says it all: the fakes, and a judge behind a server."""
    return model == "fake" or model.startswith(("fake:", "openai:"))


def source_digests(source: str) -> list[str]:
    """Digests of a local file or a folder of files; none for a dataset of the Hub, which is read once for a run."""
    path = Path(source)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path] if path.is_file() else []
    return [file_digest(one) for one in files]


def file_digest(path: Path) -> str:
    status = path.stat()
    key = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    remembered = _remembered()
    if status.st_size < 1 << 20 or key not in remembered:
        digest = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
        if status.st_size < 1 << 20:
            return digest.hexdigest()
        remembered[key] = digest.hexdigest()
        write_file(_memory(), json.dumps(remembered, indent=1).encode())
    return remembered[key]


def _memory() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "evolve-select" / "fingerprints.json"


def _remembered() -> dict[str, str]:
    try:
        return dict(json.loads(_memory().read_text()))
    except (OSError, ValueError):
        return {}
