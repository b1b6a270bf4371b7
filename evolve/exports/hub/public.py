"""What a dataset says of itself where others read it: no path, address or measurement of the machine that made it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from prompts.display import redacted

# Of the machine and of the last invocation, not of the data: two pushes of one dataset would differ in them.
OF_THE_MACHINE = ("model_calls", "memory_mib", "stages")
ADDRESSES = ("base_url",)  # of a judge's server, which may be inside somebody's network
TEXTS = ("system_prompt",)  # of the data: it stands in every prompt, whatever it looks like
PLACES = ("source", "model", "policy", "reward", "templates", "decontaminate")  # a path as a whole, whatever is in it

_LOCAL = re.compile(r"(?:file:|~|/|\.{1,2}(?:/|$)|[A-Za-z]:[\\/])")
# A path of two parts at least ("/no_think" is a word, "</think>" a tag), not within a word or an address.
_PATH = re.compile(r"(?<![\w/.~])(?:file://)?(?:~[\w.-]*|\.{1,2})?(?:/[^\s/\"'`,;:|<>()\[\]{}=]+){2,}/?|~/[\w.+-]+")


def public(manifest: dict[str, Any]) -> dict[str, Any]:
    """The content of a manifest for others: of a path its last part is left, in every value and key.

    Two paths that end alike stay two names: the later one gets a number.
    """
    names = Names()
    kept = {key: value for key, value in manifest.items() if key not in OF_THE_MACHINE}
    cleaned: dict[str, Any] = redacted(_public(kept, "", names))
    return cleaned


class Names:
    """A name for each path: its last part, with a number where another path has it."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The name of a path."""
        path = path.removeprefix("file:").rstrip("/")
        if path not in self._of:
            last = PurePath(path.replace("\\", "/")).name
            name = last if last.strip(".") and not last.startswith("~") else "folder"
            taken = set(self._of.values())
            self._of[path] = next(one for one in _numbered(name) if one not in taken)
        return self._of[path]

    def place(self, text: str) -> str:
        """`text`, the name of a model or a path, without the path; a judge behind a server may be called by one."""
        kind, separator, rest = text.partition(":")
        if kind == "openai" and separator:
            return f"{kind}:{self.place(rest)}"
        return self.of(text) if _LOCAL.match(text) else text

    def within(self, text: str) -> str:
        """`text` with the names of the paths in it."""
        return _PATH.sub(lambda found: self.of(found[0]), text)


def _numbered(name: str) -> Iterator[str]:
    """name, name (2), name (3) ..."""
    yield name
    yield from (f"{name} ({n})" for n in itertools.count(2))


def _public(value: Any, key: str, names: Names) -> Any:
    if isinstance(value, dict):
        return {names.within(names.place(name)): _public(item, name, names) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_public(item, key, names) for item in value]
    if not isinstance(value, str) or key in TEXTS:
        return value
    if key in ADDRESSES:
        return None
    if key == "templates":  # always a folder, also where it is given from the folder that one was in
        return names.of(value)
    return names.place(value) if key in PLACES else names.within(value)
