"""The content of files as short digests, remembered, so that 16 GB of weights are read once."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path

from evolve.pool.files import write_file
from evolve.sources.location import locate
from generation.checkpoint import resolve, shards
from prompts import content_id
from prompts.errors import UserError

# The files of a model's folder that decide what it computes, beside its weights. What else lies there (a trainer's
# state, an optimizer, logs) makes no other model.
DECIDING = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors.index.json",
    "quantize_config.json",
    "special_tokens_map.json",
    "spm.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)
NO_WEIGHTS = ("optimizer", "scheduler", "training_args", "rng_state", "adapter_")
GIVEN = "given"  # in the place of a reward model: the rewards that existing preference data has
COMMIT = re.compile(r"[0-9a-f]{40}")


def fingerprint(model: str) -> str:
    """Identity of a model: the digest of the files that decide what it computes, or NAME@COMMIT from the Hub's cache.

    Digests are remembered by path, size and time of change, so 16 GB of weights are read once.
    """
    if is_weightless(model):
        return model
    folder = resolve(model, weights=False)
    return _of_hub(model, folder) or _of_files(_deciding(folder) + weight_files(folder))


def served_fingerprint(model: str) -> str:
    """Identity of a model that runs elsewhere: its files, as above, as far as they are here. Without weights the name
    that it is served by has to tell it from others of the same tokenizer and shape.
    """
    folder = resolve(model, weights=False)
    if of_hub := _of_hub(model, folder):
        return of_hub
    has_weights = any(path.is_file() for path in folder.glob("*.safetensors"))
    return _of_files(_deciding(folder) + (weight_files(folder) if has_weights else []))


def _of_hub(model: str, folder: Path) -> str:
    commit = hub_commit(folder)
    return f"{model.partition('@')[0]}@{commit}" if commit else ""


def _deciding(folder: Path) -> list[Path]:
    return [path for name in DECIDING if (path := folder / name).is_file()]


def _of_files(files: list[Path]) -> str:
    return content_id("model", [[path.name, file_digest(path)] for path in sorted(files)])


def hub_commit(folder: Path) -> str:
    """The commit that a folder of the Hub's cache stands for; "" for any other folder, whatever it is called.

    The cache's layout is models--OWNER--NAME/snapshots/COMMIT: there a name stands for its content.
    """
    parts = folder.resolve().parts
    in_cache = len(parts) > 3 and parts[-2] == "snapshots" and parts[-3].startswith("models--")
    return parts[-1] if in_cache and COMMIT.fullmatch(parts[-1]) else ""


def weight_files(folder: Path) -> list[Path]:
    """The files with weights: those of the index, or all safetensors that are weights. Raises UserError for none."""
    listed = shards(folder)
    found = [
        path
        for path in sorted(folder.glob("*.safetensors"))
        if path.is_file() and (path.name in listed if listed else not path.name.startswith(NO_WEIGHTS))
    ]
    if not found:
        raise UserError(f"{folder} holds no model: expected config.json, a tokenizer and *.safetensors.")
    return found


def is_weightless(model: str) -> bool:
    """Whether a model's name says it all: the fakes, judges behind a server, and the data itself."""
    return model in ("fake", GIVEN) or model.startswith(("fake:", "openai:", "pairs:", f"{GIVEN}:"))


def source_digests(source: str, split: str | None = None) -> list[str]:
    """Digests of the local files that `source` and `split` stand for, and what they are read as; none for a dataset of
    the Hub, which is read once for a run.
    """
    try:
        location = locate(source, split)
        return [f"{location.kind} {file_digest(file)}" for file in location.files]
    except (UserError, OSError):
        return []  # opening it says why


def file_digest(path: Path) -> str:
    status = path.stat()
    # The time of the last change can be set by a copy; that of the change of the entry cannot.
    key = f"{path.resolve()} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    remembered = _remembered()
    if status.st_size < 1 << 20 or key not in remembered:
        digest = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
        if status.st_size < 1 << 20:
            return digest.hexdigest()
        remembered[key] = digest.hexdigest()
        with suppress(UserError, OSError, RuntimeError):  # a home that is read-only, missing or another's
            write_file(_memory(), json.dumps(remembered, indent=1).encode())
    return remembered[key]


def _memory() -> Path:
    """Where digests are remembered. Raises RuntimeError where there is no home."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "evolve-select" / "fingerprints.json"


def _remembered() -> dict[str, str]:
    try:
        found = json.loads(_memory().read_bytes())
    except (OSError, ValueError, RuntimeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: digest for path, digest in found.items() if isinstance(digest, str)}
