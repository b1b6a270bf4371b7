"""Who made a row: ids of samplers and reward models, hashed from everything that can move their output."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from evolve.files import write_file
from evolve.recipe import Recipe
from prompts import content_id
from prompts.errors import UserError

# Files of a model folder that decide what it computes.
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model")


def fingerprint(model: str, folder: Path | None) -> str:
    """Identity of a model: the digest of its files, or name and commit when it comes from the Hub's cache.

    Digests are remembered by path, size and time of change, so 16 GB of weights are read once.
    """
    if folder is None:
        return model
    parts = folder.resolve().parts
    if "snapshots" in parts[:-1] and parts[-2] == "snapshots":  # .../models--owner--name/snapshots/COMMIT
        return f"{model}@{parts[-1]}"
    files = sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern)})
    if not files:
        raise UserError(f"{folder} holds no model: expected config.json, a tokenizer and *.safetensors.")
    return content_id("model", [[path.name, file_digest(path)] for path in files])


def sampler_settings(recipe: Recipe, policy_fingerprint: str) -> dict[str, Any]:
    """What a completion depends on. The chat template is among the model's files; n is not here, so n can grow."""
    policy, sampling = recipe.policy, recipe.sampling
    return {
        "policy": policy.model,
        "fingerprint": policy_fingerprint,
        "dtype": policy.dtype,
        "max_model_len": policy.max_model_len,
        "engine": policy.engine,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }


def reward_settings(recipe: Recipe, reward_fingerprint: str) -> dict[str, Any]:
    """What a score depends on. The batch budget is not here: it moves a score by rounding only."""
    return {"reward": recipe.reward.model, "fingerprint": reward_fingerprint, "dtype": recipe.reward.dtype}


def settings_id(kind: str, settings: dict[str, Any]) -> str:
    """The id of a sampler or a reward model. Where the model lies is not part of it: the same files are the same model."""
    named = {key: value for key, value in settings.items() if key not in ("policy", "reward")}
    return content_id(kind, named)


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
