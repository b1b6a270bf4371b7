"""Who made a row: ids of samplers and reward models, hashed from everything that can move their output."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.files import write_file
from evolve.recipe import Recipe
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
        from rewards.judge import TEMPLATE

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


@dataclass(frozen=True)
class Maker:
    """Who makes rows: a sampler or a reward model. `settings` is all that its output depends on; `id` their hash."""

    model: str
    id: str
    settings: dict[str, Any]
    weight: float = 1.0


def sampler_of(recipe: Recipe) -> Maker:
    """The recipe's sampler. The chat template is among the model's files; n is no setting of it, so n can grow."""
    policy, sampling = recipe.policy, recipe.sampling
    settings = {
        "fingerprint": fingerprint(policy.model),
        "dtype": policy.dtype,
        "max_model_len": policy.max_model_len,
        "engine": policy.engine,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    return Maker(policy.model, content_id("sampler", settings), settings)


def rewards_of(recipe: Recipe) -> list[Maker]:
    """The recipe's reward models: the main one, weight 1, then the ensemble's. The batch budget is no setting."""
    reward = recipe.reward
    makers = []
    for model, weight in ({reward.model: 1.0} | reward.ensemble).items():
        settings = {"fingerprint": fingerprint(model), "dtype": reward.dtype, "compat": reward.compat}
        makers.append(Maker(model, content_id("reward", settings), settings, weight))
    return makers


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
