"""A checkpoint on disk: where it is, what it holds, and the identity of its content. Safetensors and JSON only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompts.errors import UserError

if TYPE_CHECKING:
    import torch

CONFIG = "config.json"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
# Weights, configuration, tokenizer and template: all that a score depends on, and nothing that could run.
FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "tokenizer.model", "spm.model"]


def resolve(model: str, *, weights: bool = True) -> Path:
    """The folder of `model`: a local folder as it is, a Hub name (NAME or NAME@REVISION) by way of the Hub's cache.

    Without `weights` only the configuration and tokenizer are fetched. Raises UserError if there is neither, and for a
    folder that holds something else than a model (see `check_folder`).
    """
    try:
        folder = Path(model).expanduser()
        if model and folder.is_dir():
            check_folder(folder)
            return folder
    except (OSError, RuntimeError) as error:  # a name that no file system takes, a folder of another user
        raise UserError(f"model {shown(model)}: not a folder that can be read ({shown(error)}).") from error
    name, _, revision = model.partition("@")
    if folder.is_absolute() or model.startswith(".") or name.count("/") != 1:
        raise UserError(
            f"model {shown(model)}: no such folder. Give a folder with config.json, or a Hub name like 'owner/name'."
        )
    from huggingface_hub import snapshot_download

    patterns = FILES if weights else [p for p in FILES if "*.safetensors" not in p]
    try:
        folder = Path(
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
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Raise UserError for what is easily taken for a model: an adapter, files that git-lfs has not fetched, folders in
    the place of files.
    """
    adapter = read_json(folder, "adapter_config.json")
    if adapter:
        base = adapter.get("base_model_name_or_path")
        beside = " beside a whole model, and which of them is meant can't be told" if _is_there(folder, CONFIG) else ""
        way_out = "remove adapter_* if the model is meant" if beside else "merge it into its base"
        raise UserError(
            f"{folder}: this is an adapter (LoRA) of {shown(base) if base else 'another model'}{beside}. Only whole "
            f"models are read: {way_out}, or merge it (peft's merge_and_unload) and save that with its tokenizer."
        )
    for path in sorted(folder.iterdir()):
        if not path.name.endswith((".json", ".safetensors", ".jinja", ".model")):
            continue
        if not path.is_file():
            raise UserError(
                f"{path}: a folder, or a link to nothing, where a file was expected. Fetch the model again."
            )
        if _starts_with(path, LFS_POINTER):
            raise UserError(
                f"{path}: a git-lfs pointer, not the file itself. Run `git lfs pull` in {folder}, or fetch the model "
                "again."
            )


def _starts_with(path: Path, beginning: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning


def _is_there(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def shown(value: object) -> str:
    """A name or an error as a message quotes it: one line, not long."""
    text = repr(value) if isinstance(value, str) else " ".join(str(value).split())
    return text if len(text) <= 300 else f"{text[:300]}..."


@contextmanager
def reading(folder: Path, what: str) -> Iterator[None]:
    """Any failure to make something of the files of `folder` as a UserError that names `what` was to be made.

    The libraries that read a checkpoint answer to damaged files with errors of every kind, panics of their compiled
    parts included (which are no `Exception`).
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise UserError(
            f"{folder}: {what} can't be made of what is there ({type(error).__name__}: {shown(error)}). A file may be "
            "damaged or incomplete, or config.json may not be this checkpoint's: fetch it again."
        ) from error


def read_json(folder: Path, name: str, *, required: bool = False) -> dict[str, Any]:
    """The JSON object in `folder / name`; empty if the file is absent and not `required`."""
    path = folder / name
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else None
        value = json.loads(text) if text is not None else {}
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}). The download may be incomplete: fetch it again.") from error
    if text is None and required:
        raise UserError(f"{folder}: there is no {name}. A model's folder has config.json, safetensors and a tokenizer.")
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value


def shards(folder: Path) -> set[str]:
    """The files that the index of a sharded checkpoint lists; none without an index."""
    where = read_json(folder, "model.safetensors.index.json").get("weight_map", {})
    if not isinstance(where, dict) or not all(isinstance(file, str) for file in where.values()):
        raise UserError(
            f"{folder}/model.safetensors.index.json: weight_map is no table of tensors and their files. Fetch it again."
        )
    return set(where.values())


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
        listed = shards(self.folder)
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
            with reading(path, "tensors"), safe_open(str(path), framework="pt", device=str(device)) as file:
                for name in wanted:
                    tensors[name] = file.get_tensor(name).to(dtype)
        return tensors

    def rows(self, name: str, rows: Iterable[int]) -> torch.Tensor:
        """Some rows (rows, columns) of the matrix `name`, without reading the others."""
        import torch
        from safetensors import safe_open

        with reading(self.where[name], "tensors"), safe_open(str(self.where[name]), framework="pt") as file:
            matrix = file.get_slice(name)
            return torch.cat([matrix[row : row + 1] for row in rows])


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor, from the file's header alone."""
    from safetensors import safe_open

    with reading(path, "a whole safetensors file"), safe_open(str(path), framework="np") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


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


# Sizes in config.json, each with the largest that any model could have: a larger one is a damaged file, and building
# what it says would take all memory.
SIZES = {
    "vocab_size": 10**8,
    "hidden_size": 10**6,
    "intermediate_size": 10**7,
    "num_hidden_layers": 10**4,
    "num_attention_heads": 10**5,
    "num_key_value_heads": 10**5,
    "head_dim": 10**6,
    "max_position_embeddings": 2**31,
}


def check_config(folder: Path, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """config.json, its sizes looked at. Raises UserError for one that is no size, and for a missing `required` one."""
    config = read_json(folder, CONFIG, required=True)
    for name, most in SIZES.items():
        value = config.get(name)
        if value is None and name not in required:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
            raise UserError(f"{folder}/{CONFIG}: {name} is {shown(value)}, expected a number from 1 to {most:,}.")
    return config


def soft_capped(folder: Path) -> bool:
    """Whether a model bounds the logits of its attention, as Gemma 2 does. transformers' sdpa attention leaves that out
    without a word, and the model is another one: it has to be asked for the eager one.
    """
    config = read_json(folder, CONFIG)
    if isinstance(text := config.get("text_config"), dict):
        config = text
    unsaid = 50.0 if config.get("model_type") == "gemma2" else None  # what Gemma2Config takes where nothing is said
    return bool(config.get("attn_logit_softcapping", unsaid))
