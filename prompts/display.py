"""Anyone's text as it may be shown on a terminal, in a log or in a card: nothing in it acts, nothing is secret.

Prompts, responses, names and error texts may hold escape sequences that clear a screen, retitle a window or write to a
clipboard, and settings may hold passwords.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

# C0 (but tab and line feed), DEL, C1, line and paragraph separators, directional overrides, half surrogate pairs.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

HIDDEN = "***"
_SECRET_KEY = re.compile(
    r"(^|[_.-])(token|tokens|password|passwords|passwd|pwd|pass|passphrase|secrets?|secret[_-]?id|apikeys?|access[_-]?key[_-]?id|"
    r"(api|access|secret|private|signing|encryption|account|shared|subscription)[_-]?keys?|credentials?|"
    r"auth|authorization|bearer|cookies?|signature)$",
    re.IGNORECASE,
)
_NO_SECRET_KEY = re.compile(  # what is counted in tokens, and what tokenizers call those that are special
    r"^tokens$|(^|_)(max|min|num|n|total|batch|batched|special|image|images|video|audio|new|prompt|response|thought|stop|trainer)_tokens$|"
    r"(^|_)(bos|eos|pad|unk|sep|cls|mask|stop|start|begin|end|eot|bot|image|video|audio|vision|think|special|added|"
    r"boi|eoi|tool|pre|first|last|next|new|per|n)_token$",
    re.IGNORECASE,
)
_SECRET_PARAMETER = re.compile(  # of addresses: what signs them (S3, Google, Azure, CloudFront), and `key`
    r"((x-)?(amz|goog|ms|oss|cos|bce)-)?(sig|signature|credential|key|awsaccesskeyid|googleaccessid|ossaccesskeyid|"
    r"key-pair-id)",
    re.IGNORECASE,
)
_IN_URL = re.compile(  # up to the last @ before the path, or after it where what precedes the path is no port
    r"(?P<before>\b[A-Za-z][A-Za-z0-9+.-]{1,20}:/{1,3}|(?<![\w:/])//(?=[^\s/?#\"<>@]{0,300}:))"
    r"(?:[^\s/?#\"<>]+@|[^\s/?#\"<>:@\[\]]{1,200}:(?!\d{0,5}(?:[/?#\"'<>),;\s]|$))[^\s\"<>]{0,300}@)"
)
_NAME = r"[A-Za-z][\w.-]{0,60}"
# Where the name of a secret may stand, up to its value: in an address (after %3F and %26 where the address is itself a
# parameter), before an equals sign, in JSON or in Python's form of it. In prose a colon is only a colon.
_PARAMETER = re.compile(
    rf"(?:[?&;#]|%3F|%26|%23)(?P<name>{_NAME})(?:\[\w{{0,20}}\]|%5B\w{{0,20}}%5D)?(?:=|%3D)", re.IGNORECASE
)
_NAMED = (
    _PARAMETER,
    re.compile(rf"(?<!\w)(?P<name>{_NAME})\s{{0,3}}=\s{{0,3}}(?!=)"),
    re.compile(rf"(?P<mark>\\?[\"'])(?P<name>{_NAME})(?P=mark)\s{{0,9}}[:=]\s{{0,9}}"),
    re.compile(rf"(?<!\w)(?!(?:tokens?|signature)\b)(?P<name>{_NAME})\s{{0,3}}:\s{{0,3}}(?=\\?[\"'])"),
)
_PARAMETER_VALUE = re.compile(r"(?:(?!%26)[^\s&;#\"'<>])+", re.IGNORECASE)
_VALUE = re.compile(
    r"b?\\(?P<escaped>[\"'])(?:(?!\\(?P=escaped))[^\n])*(?:\\(?P=escaped))?|"
    r"b?(?P<mark>[\"'])(?:(?!(?P=mark))[^\\\n]|\\[^\n])*(?P=mark)?|"
    r"\[[^\]]{0,2000}\]?|\{[^}]{0,2000}\}?|\([^)]{0,2000}\)?|[^\s,;\]}\"'{\[()<>&]+"
)
_HEADER = re.compile(
    r"(?P<before>\b(?:(?:proxy-)?authorization|x-api-key|api[_-]?key|x-auth-token)\s{0,9}[:=]\s{0,9})"
    r"(?!\*{3})(?:(?:bearer|basic|token|digest)\s{1,9})?[^\s\"',;&]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<before>\bbearer\s{1,9})(?=[^\s\"',]*[\d_=]|[^\s\"',]{20})[\w.~+/=-]{6,}", re.IGNORECASE)
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|"
    r"github_pat_[A-Za-z0-9_]{16,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}|"
    r"AIza[\w-]{30,}|(?:npm|pypi|dop|r8|nvapi|gsk|xai)[_-][A-Za-z0-9_-]{24,}|"
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*)"
)
_NOTHING = re.compile(r"\\?[\"']{0,2}(none|null|true|false|\*+|)\\?[\"']{0,2}", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9][0-9._]{0,24}(e[-+]?[0-9]{1,4})?%?|[-+]?(nan|inf|infinity)", re.IGNORECASE)


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
    """Whether a setting of this name (hf_token, authToken, api_key) holds what must not be stored or shown."""
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return bool(_SECRET_KEY.search(key)) and not _NO_SECRET_KEY.search(key)


def holds_secret(text: str) -> bool:
    """Whether a text holds credentials: in a URL, as a parameter, or by the look of a known kind of key."""
    return redacted(text) != text


def redacted(value: Any) -> Any:
    """A text, or a setting of dictionaries and lists, with *** for each secret."""
    if isinstance(value, str):
        return _redacted(value)
    if isinstance(value, dict):
        return {redacted(key): HIDDEN if is_secret_key(str(key)) else redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(redacted, value))
    return value


def plainly(value: Any, known: Collection[str] = ()) -> str:
    """A value of a setting as an error may show it. Numbers and `known` words are shown; another text may be a secret,
    whatever its key, so that only its kind is told.
    """
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int | float):
        return repr(value) if not isinstance(value, int) or value.bit_length() <= 64 else "an integer of many digits"
    if isinstance(value, str):
        return repr(value) if value in known or _NUMBER.fullmatch(value) else f"a text of {len(value):,} characters"
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


def _redacted(text: str) -> str:
    text = _KNOWN.sub(HIDDEN, _IN_URL.sub(rf"\g<before>{HIDDEN}@", text))
    for pattern in (_HEADER, _BEARER):
        text = pattern.sub(rf"\g<before>{HIDDEN}", text)
    for names in _NAMED:
        text = _without_values(text, names)
    return text


def _without_values(text: str, names: re.Pattern[str]) -> str:
    """`text` with *** for what follows the names of secrets; quotes around it stay."""
    pieces, at = [], 0
    values = _PARAMETER_VALUE if names is _PARAMETER else _VALUE
    for match in names.finditer(text):
        is_parameter = names is _PARAMETER and _SECRET_PARAMETER.fullmatch(match["name"])
        if match.start() < at or not (is_parameter or is_secret_key(match["name"])):
            continue
        value = values.match(text, match.end())
        if value and not _NOTHING.fullmatch(value[0]):
            mark = next((mark for mark in ('\\"', "\\'", '"', "'") if value[0].removeprefix("b").startswith(mark)), "")
            pieces.append(f"{text[at : match.end()]}{mark}{HIDDEN}{mark if value[0].endswith(mark) else ''}")
            at = value.end()
    return "".join(pieces) + text[at:]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
