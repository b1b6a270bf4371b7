"""Loops of the fake policy with a trainer that copies a tiny checkpoint and moves a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evolve.loop.iterations import Loop
from evolve.recipe.sections import Recipe
from fake_runs import fake_recipe
from tiny_policy import policy

TRAINER = Path(__file__).with_name("perturbing_trainer.py")


def start_policy(folder: Path) -> Path:
    """The checkpoint that the first training copies, in float32, which numpy knows."""
    from safetensors.torch import load_file, save_file

    weights = load_file(policy(folder) / "model.safetensors")
    save_file({name: one.float() for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def command(start: Path, fault: str = "", delay: float = 0.0) -> list[str]:
    """The trainer's command, as a recipe has it."""
    words = ["{python}", str(TRAINER), "{policy}", "{output}", "{dataset}", str(start), fault]
    return [*words, str(delay)] if delay else words


def looped(source: Path, start: Path, fault: str = "", **settings: Any) -> Recipe:
    """A small recipe of the fakes that trains by `command`."""
    small = {"evolve__strategies": ["deepen", "breadth"], "training__command": command(start, fault)}
    return fake_recipe(source, **small | settings)


def loop(recipe: Recipe, folder: Path, n: int = 2, trained: str | None = None) -> str:
    """`evolve loop` without the command line."""
    return Loop(recipe, folder, n, trained, lambda option: f"evolve loop mine.toml {option}").run()


def train_files(folder: Path) -> dict[str, bytes]:
    """The training set of each iteration."""
    return {path.parts[-4]: path.read_bytes() for path in sorted(folder.glob("iteration-*/*/*/train.parquet"))}


def trainings(folder: Path, iteration: int) -> list[str]:
    """The policies that trainings of an iteration began from, one for each time that one was begun."""
    path = folder / "checkpoints" / f"iteration-{iteration}.trainings"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
