"""The fast tokenizer of a checkpoint, as the chat needs it: every added token a control token, no remote code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.checkpoint import read_json, reading
from prompts.errors import UserError


def make_special(tokenizer: Any, controls: Sequence[str]) -> None:
    """Have the tokenizer treat `controls`, and every added token that it does not call special (`<think>` and others),
    as control tokens: typed by a user, they would become control ids all the same. Runs of white space, which some
    vocabularies add, are text.
    """
    from transformers import AddedToken

    added = tokenizer.added_tokens_decoder.values()
    plain = [token for token in added if not token.special and token.content.strip()]
    named = [
        AddedToken(
            token.content,
            lstrip=token.lstrip,
            rstrip=token.rstrip,
            single_word=token.single_word,
            normalized=False,
            special=True,
        )
        for token in plain
    ]
    if wanted := [*controls, *named]:
        tokenizer.add_special_tokens({"additional_special_tokens": wanted}, replace_extra_special_tokens=False)


def load_tokenizer(folder: Path) -> Any:
    """The folder's fast tokenizer, with the padding token that only special_tokens_map.json may declare."""
    from transformers import AutoTokenizer

    with reading(folder, "the tokenizer (tokenizer.json is expected)"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"{folder}: there is no fast tokenizer (tokenizer.json). Convert it with transformers and save it there."
        )
    declared = read_json(folder, "special_tokens_map.json").get("pad_token")
    pad = declared.get("content") if isinstance(declared, dict) else declared
    if isinstance(pad, str) and pad and tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": pad})
    return tokenizer
