"""Whether what a training wrote can be the next policy: it loads, it differs, and it speaks as the policy did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.recipe.fingerprint import is_weightless, weight_files
from generation.checkpoint import Tensors, check_config, check_folder, reading, resolve
from generation.template import template_text
from generation.tokenizer import load_tokenizer
from prompts.errors import UserError

CHEAP = 2 << 30  # bytes of weights up to which the model is also loaded as a whole: a second or two a GiB
TIED = "lm_head.weight"  # a copy of the embeddings, which some programs store and others do not
CONVERSATION = [
    {"role": "user", "content": "Name 2 birds, e.g. \u00e4n \u732b?\n"},
    {"role": "assistant", "content": "An owl. A duck."},
]
REFUSED = "can't be the next policy"


def check_checkpoint(folder: Path, policy: str) -> None:
    """Check `folder` against the policy that it was trained from, a folder or Hub name.

    The headers of all weights, each value (finite?), tokenizer and template are looked at; of weights up to CHEAP bytes
    the model is loaded as well. Nothing is compared with the fake policy, which has no files. Raises `UserError` that
    says what is wrong.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(f"{folder} {REFUSED}: it is not there, or empty. The training has to write a model into it.")
    check_folder(folder)
    check_config(folder)
    files = weight_files(folder)
    _check_values(Tensors(folder))
    tokenizer = load_tokenizer(folder)
    if not is_weightless(policy):
        old = resolve(policy)
        _check_speech(folder, tokenizer, old)
        _check_weights(Tensors(folder), Tensors(old))
    if sum(path.stat().st_size for path in files) <= CHEAP:
        _check_loads(folder)


def _check_speech(folder: Path, tokenizer: Any, old: Path) -> None:
    """Same vocabulary, same template, and the same token ids for the same conversation."""
    before = load_tokenizer(old)
    if tokenizer.get_vocab() != before.get_vocab():
        raise UserError(
            f"{folder} {REFUSED}: its tokenizer is another one ({len(tokenizer)} tokens, the policy in {old} has "
            f"{len(before)}, or other words for them). Save the policy's tokenizer with the model."
        )
    if template_text(folder).strip() != template_text(old).strip():
        raise UserError(
            f"{folder} {REFUSED}: its chat template is not that of the policy in {old}, so it would be sampled with "
            "other prompts than it was trained on. Save the policy's tokenizer and chat_template.jinja with the model."
        )
    asked = [CONVERSATION[0]["content"], CONVERSATION[1]["content"]]
    if before.chat_template:
        with reading(folder, "a conversation by its chat template"):
            asked.append(before.apply_chat_template(CONVERSATION, tokenize=False))
    same = all(tokenizer(text)["input_ids"] == before(text)["input_ids"] for text in asked)
    if not same or tokenizer.eos_token != before.eos_token:
        raise UserError(
            f"{folder} {REFUSED}: its tokenizer splits text into other tokens than that of the policy in {old}, or "
            "ends a turn with another one. Save the policy's tokenizer with the model."
        )


def _check_weights(new: Tensors, old: Tensors) -> None:
    """All tensors of the policy are there with their shapes, and one at least has moved."""
    missing = sorted(old.shapes.keys() - new.shapes.keys() - {TIED})
    wrong = sorted(name for name, shape in old.shapes.items() if new.shapes.get(name, shape) != shape)
    if missing or wrong:
        named = ", ".join([*missing, *wrong][:5])
        raise UserError(
            f"{new.folder} {REFUSED}: {len(missing)} tensors of the policy in {old.folder} are missing and "
            f"{len(wrong)} have another shape ({named}). Save the whole model."
        )
    if not any(_moved(new, old, name) for name in old.shapes.keys() & new.shapes.keys()):
        raise UserError(
            f"{new.folder} {REFUSED}: its weights are those of the policy in {old.folder}, so the training has changed "
            "nothing. Was the learning rate 0, or the policy saved in place of the trained model?"
        )


def _moved(new: Tensors, old: Tensors, name: str) -> bool:
    """Whether a tensor differs, as the new one's precision has it: rounding alone is no training."""
    now, before = _tensor(new, name), _tensor(old, name)
    return not bool((now == before.to(now.dtype)).all())


def _check_values(tensors: Tensors) -> None:
    for name in sorted(tensors.shapes):
        tensor = _tensor(tensors, name)
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise UserError(
                f"{tensors.folder} {REFUSED}: {name} holds values that are no finite numbers. The training has "
                "diverged: lower the learning rate, or clip gradients."
            )


def _tensor(tensors: Tensors, name: str) -> Any:
    from safetensors import safe_open

    path = tensors.where[name]
    with reading(path, f"the tensor {name}"), safe_open(str(path), framework="pt") as file:
        return file.get_tensor(name)


def _check_loads(folder: Path) -> None:
    """No weight is missing for the architecture that config.json names."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    with reading(folder, "a model"):
        _, told = AutoModelForCausalLM.from_pretrained(
            str(folder), output_loading_info=True, trust_remote_code=False, use_safetensors=True
        )
    if missing := sorted(told["missing_keys"]):
        raise UserError(
            f"{folder} {REFUSED}: {len(missing)} weights that its config.json asks for are missing "
            f"({', '.join(missing[:5])}). Save the whole model."
        )
