"""A user's own metric: `metric = "my_module:my_metric"`, a function as those of `selection.metrics.pair` are.

    def my_metric(score_chosen, score_rejected, n_tokens_chosen, *, per_token=0.01):
        return score_chosen - score_rejected - per_token * n_tokens_chosen

Its positional parameters are inputs by their names in INPUTS, keyword-only ones are numbers with a default that
`selection.parameters` sets; it returns an array (pairs,), larger is better. The module lies in the working directory or
is installed.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from prompts.errors import UserError

OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)

_IMPORTED_HERE: set[str] = set()  # top-level modules that nobody else in this process had imported


def is_own(name: str) -> bool:
    """Whether `name` has the form module:function."""
    return OWN.fullmatch(name) is not None


def load(name: str) -> tuple[Callable[..., Any], str]:
    """The function that `name` stands for, and the identity of its code: the digest of the module's file, with the
    version of its distribution where it is installed. Raises `UserError`.
    """
    module_name, _, function_name = name.partition(":")
    module = _imported(module_name, name)
    function = getattr(module, function_name, None)
    if not callable(function):
        there = ", ".join(one for one in vars(module) if not one.startswith("_") and callable(vars(module)[one]))
        raise UserError(f"metric {name!r}: {module_name} has no function {function_name}. It has: {there or 'none'}.")
    return function, _identity(module, name)


def _imported(module_name: str, name: str) -> Any:
    """The module as its file is now: what was changed since it was imported is read again."""
    here = str(Path.cwd())
    with _first_on_the_path(here):
        top = module_name.partition(".")[0]
        if top in _IMPORTED_HERE:
            for loaded in [one for one in sys.modules if one == top or one.startswith(f"{top}.")]:
                del sys.modules[loaded]
        elif top not in sys.modules:
            _IMPORTED_HERE.add(top)
        try:
            importlib.invalidate_caches()
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise UserError(
                    f"metric {name!r}: there is no module {module_name}. Expected {module_name.replace('.', '/')}.py "
                    f"in the working directory ({here}), or a package that is installed."
                ) from error
            raise UserError(f"metric {name!r}: {module_name} imports {error.name}, which is not there.") from error
        except Exception as error:
            raise UserError(
                f"metric {name!r}: {module_name} can't be imported ({type(error).__name__}: {error}). Mend the module."
            ) from error


@contextmanager
def _first_on_the_path(folder: str) -> Iterator[None]:
    """The working directory comes first, as for `python -m`, and no byte code is left there."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.dont_write_bytecode = kept


def _identity(module: Any, name: str) -> str:
    file = getattr(module, "__file__", None)
    if not file:
        raise UserError(f"metric {name!r}: {module.__name__} has no file, so it has no identity. Put it into a module.")
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    owners = metadata.packages_distributions().get(module.__name__.partition(".")[0], [])
    return " ".join([digest, *(f"{one} {metadata.version(one)}" for one in sorted(set(owners)))])
