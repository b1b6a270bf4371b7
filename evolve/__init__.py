"""Grow a preference dataset by self-play, crash-safe, and select from it.

The public surface, which keeps its names: `load_recipe`, `Recipe`, `grow`, `select`, `open_dataset`, `Dataset`,
`UserError`. Everything is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evolve.api import Dataset, grow, open_dataset, select
    from evolve.recipe.loading import load_recipe
    from evolve.recipe.sections import Recipe
    from prompts.errors import UserError

__version__ = "0.1.0"
__all__ = ["Dataset", "Recipe", "UserError", "grow", "load_recipe", "open_dataset", "select"]

_WHERE = {
    "Dataset": "evolve.api",
    "Recipe": "evolve.recipe.sections",
    "UserError": "prompts.errors",
    "grow": "evolve.api",
    "load_recipe": "evolve.recipe.loading",
    "open_dataset": "evolve.api",
    "select": "evolve.api",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'evolve' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
