"""What a chat template is given beside the conversation: its own switches (enable_thinking and the like), and the date.

A template that prints today's date would change prompts and scores at midnight, under one identity. A run gives it the
day that it began.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from generation.checkpoint import read_json
from prompts.errors import UserError

DATE_FUNCTION = "strftime_now"  # what transformers offers to templates
# What `apply_chat_template` takes for itself, or a template has from the tokenizer and the conversation.
RESERVED = re.compile(
    r"conversation|messages|tools|documents|chat_template|add_generation_prompt|continue_final_message|tokenize|"
    r"padding|truncation|max_length|return_\w+|tokenizer_kwargs|raise_exception|strftime_now|\w+_token|"
    r"additional_special_tokens"
)


def check_kwargs(kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError for a name that no template can be given."""
    for name in kwargs:
        if not name.isidentifier() or RESERVED.fullmatch(name):
            raise ValueError(
                f"{name!r} is no argument of a chat template's own: expected one such as enable_thinking, which the "
                "template reads"
            )


def check_date(text: str) -> None:
    """Raise ValueError for anything but a day as YYYY-MM-DD."""
    try:
        plain = date.fromisoformat(text).isoformat() == text
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("expected a day such as '2025-01-31'")


def template_arguments(kwargs: Mapping[str, Any], day: str | None = None) -> dict[str, Any]:
    """What a template is rendered with beside the conversation. Without a day (YYYY-MM-DD) it is given today's."""
    if day is None:
        return dict(kwargs)
    return {**kwargs, DATE_FUNCTION: date.fromisoformat(day).strftime}


def template_text(folder: Path) -> str:
    """All chat templates in the tokenizer's files of `folder`, one after the other; no tokenizer is loaded."""
    found = [read_json(folder, name).get("chat_template") for name in ("tokenizer_config.json", "chat_template.json")]
    texts = [str(one) for one in found if one]
    for path in [folder / "chat_template.jinja", *sorted(folder.glob("additional_chat_templates/*.jinja"))]:
        try:
            texts += [path.read_text(encoding="utf-8")] if path.is_file() else []
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: can't be read as UTF-8 text ({error}).") from error
    return "\n".join(texts)


def uses_date(template: str) -> bool:
    """Whether a chat template prints the date."""
    return DATE_FUNCTION in template


def unread(kwargs: Mapping[str, Any], texts: list[str]) -> list[str]:
    """Names of `kwargs` that none of the templates reads: a slip of the pen would do nothing."""
    return [name for name in kwargs if not any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)]
