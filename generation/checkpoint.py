"""A checkpoint on disk: where it is, what it holds, and the identity of its content. Safetensors and JSON only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompts.errors import UserError

if TYPE_CHECKING:
    import torch

# Weights, configuration, tokenizer and template: all that a score depends on, and nothing that could run.
FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "tokenizer.model", "spm.model"]


def resolve(model: str, *, weights: bool = True) -> Path:
    """The folder of `model`: a local folder as it is, a Hub name (NAME or NAME@REVISION) by way of the Hub's cache.

    Without `weights` only the configuration and tokenizer are fetched. Raises UserError if there is neither.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    name, _, revision = model.partition("@")
    if folder.is_absolute() or model.startswith(".") or name.count("/") != 1:
        raise UserError(
            f"model {model!r}: no such folder. Give a folder with config.json, or a Hub name like 'owner/name'."
        )
    from huggingface_hub import snapshot_download

    patterns = FILES if weights else [p for p in FILES if "*.safetensors" not in p]
    try:
        return Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=patterns, ignore_patterns=["original/*", "onnx/*"]
            )
        )
    except Exception as error:  # the Hub client raises a dozen kinds: offline, gated, missing, bad name
        why = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise UserError(
            f"model {model!r}: not a folder here, and the Hub did not give it ({type(error).__name__}: {why}). "
            "Check the name, the network and HF_TOKEN, or give the path of a folder."
        ) from error


def read_json(folder: Path, name: str, *, required: bool = False) -> dict[str, Any]:
    """The JSON object in `folder / name`; empty if the file is absent and not `required`."""
    path = folder / name
    if not path.is_file():
        if required:
            raise UserError(
                f"{folder}: there is no {name}. A model's folder has config.json, safetensors and a tokenizer."
            )
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}). The download may be incomplete: fetch it again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value


class Tensors:
    """The tensors of a folder's safetensors files, one or many, by name; nothing is read until asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(folder.glob("*.safetensors"))
        if not self.files:
            raise UserError(
                f"{folder}: no *.safetensors file. Only safetensors are read (pickled .bin files can run code): "
                "convert the checkpoint."
            )
        self._check_shards()
        self.where: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in self.files:
            for name, shape in _shapes(path).items():
                self.where[name] = path
                self.shapes[name] = shape

    def _check_shards(self) -> None:
        index = read_json(self.folder, "model.safetensors.index.json")
        listed = set(index.get("weight_map", {}).values())
        missing = sorted(listed - {path.name for path in self.files})
        if missing:
            raise UserError(
                f"{self.folder}: the index lists {', '.join(missing)}, which is not there. Fetch the missing shards."
            )
        if listed:
            self.files = [path for path in self.files if path.name in listed]

    def load(self, names: Iterable[str], dtype: torch.dtype, device: torch.device) -> dict[str, torch.Tensor]:
        """Read `names` onto `device` as `dtype`."""
        from safetensors import safe_open

        by_file: dict[Path, list[str]] = {}
        for name in names:
            by_file.setdefault(self.where[name], []).append(name)
        tensors: dict[str, torch.Tensor] = {}
        for path, wanted in by_file.items():
            with safe_open(str(path), framework="pt", device=str(device)) as file:
                for name in wanted:
                    tensors[name] = file.get_tensor(name).to(dtype)
        return tensors


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor, from the file's header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({error}). The download may be incomplete: fetch it again."
        ) from error


def check_layout(folder: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise UserError naming every missing, unexpected or wrong-shaped tensor: no weight is ever left random or unused.

    Rotary frequencies, which old checkpoints stored and every model computes, may be present.
    """
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(name for name in found.keys() - expected.keys() if not name.endswith("rotary_emb.inv_freq"))
    wrong = [
        f"{name} is {list(found[name])}, expected {list(shape)}"
        for name, shape in sorted(expected.items())
        if name in found and found[name] != shape
    ]
    problems = [
        f"{label}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"
        for label, names in (("missing", missing), ("not expected", extra), ("wrong shape", wrong))
        if names
    ]
    if problems:
        raise UserError(
            f"{folder}: the weights do not fit the model that config.json describes. {'; '.join(problems)}. "
            "A score from such a checkpoint would mean nothing: fetch the complete checkpoint, or correct config.json."
        )
