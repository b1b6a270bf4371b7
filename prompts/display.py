"""Anyone's text as it may be shown on a terminal, in a log or in a card: nothing in it acts, nothing is secret.

Prompts, responses, names and error texts may hold escape sequences that clear a screen, retitle a window or write to a
clipboard, and settings may hold passwords.
"""

from __future__ import annotations

import re
from typing import Any

# C0 (but tab and line feed), DEL, C1, line and paragraph separators, directional overrides, half surrogate pairs.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

HIDDEN = "***"
_SECRET_KEY = re.compile(
    r"(^|[_-])(token|password|passwd|pwd|secret|(api|access|secret|private)[_-]?key|apikey|credentials?|auth|bearer)$",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]{0,20}://)[^\s/?#@]+@")
_IN_QUERY = re.compile(
    r"(?P<before>[?&;](?:[a-z]+[_-])?(?:token|password|secret|key|api_?key|sig|signature|auth)=)[^\s&;#]+",
    re.IGNORECASE,
)
_KNOWN = re.compile(r"(?P<before>\b)(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,})")


def shown(text: str, *, one_line: bool = False) -> str:
    r"""`text` with control characters written out (\x1b, \u202e), so that a terminal shows them and obeys none.

    Line ends and tabs stay, or with `one_line` are written out as well.
    """
    text = _ACTIVE.sub(_escape, text)
    return text.replace("\n", "\\n").replace("\t", "\\t") if one_line else text


def in_markdown(text: str) -> str:
    """`text` for a line of Markdown: it shows as it is and makes no heading, link, tag, table or code."""
    return _MARKUP.sub(r"\\\1", shown(text, one_line=True).translate(_HTML))


def in_code(text: str) -> str:
    """`text` for a span of code in Markdown, its marks included; longer marks than any that it holds enclose it."""
    text = shown(text, one_line=True)
    marks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{marks}{space}{text}{space}{marks}"


def is_secret_key(key: str) -> bool:
    """Whether a setting of this name (hf_token, api_key) holds what must not be stored or shown."""
    return bool(_SECRET_KEY.search(key))


def holds_secret(text: str) -> bool:
    """Whether a text holds credentials: in a URL, as a parameter, or by the look of a known kind of key."""
    return redacted(text) != text


def redacted(value: Any) -> Any:
    """A text, or a setting of dictionaries and lists, with *** for each secret."""
    if isinstance(value, str):
        value = _IN_URL.sub(rf"\g<before>{HIDDEN}@", value)
        return _KNOWN.sub(HIDDEN, _IN_QUERY.sub(rf"\g<before>{HIDDEN}", value))
    if isinstance(value, dict):
        return {key: HIDDEN if is_secret_key(str(key)) else redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(redacted, value))
    return value


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
