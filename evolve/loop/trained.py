"""What a run knows of its trained policies: trained.json, written when a checkpoint is whole and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolve.pool.files import not_read
from evolve.pool.json_files import Damaged, read_json, write_json
from prompts.errors import UserError

MARKER = "trained.json"


@dataclass(frozen=True)
class Trained:
    """A checkpoint that is whole, what it was trained from, and the figures of its training."""

    checkpoint: Path
    made_from: dict[str, Any]
    figures: dict[str, Any]

    def check(self, made_from: dict[str, Any]) -> None:
        """Raise `UserError` where it was trained from something else than is asked for now."""
        by_hand = not self.figures  # trained by the user: whatever command the recipe has by now, it did not run
        other = [
            key for key in made_from if made_from[key] != self.made_from.get(key) and not (by_hand and key == "command")
        ]
        if other:
            raise UserError(
                f"{self.checkpoint} was trained from another {' and '.join(other)} than this recipe has now. Give this "
                "loop a folder of its own with --run, or remove the checkpoint, and those of later iterations, to "
                "train it anew."
            )


def checkpoint_of(folder: Path, iteration: int) -> Path:
    """Where the policy goes that is trained on the dataset of an iteration."""
    return folder / "checkpoints" / f"iteration-{iteration}"


def trained_of(folder: Path, iteration: int) -> Trained | None:
    """The policy trained on the dataset of an iteration; None where there is none that is whole. Raises `UserError`."""
    path = checkpoint_of(folder, iteration) / MARKER
    try:
        data = read_json(path)
        place = data["checkpoint"]
        return Trained(path.parent / place, data["made_from"], data["figures"])
    except (FileNotFoundError, NotADirectoryError, Damaged, KeyError, TypeError):
        return None
    except OSError as error:
        raise not_read(path, error) from error


def keep_trained(folder: Path, iteration: int, trained: Trained) -> None:
    """Keep that a checkpoint is whole. One in the run's own folder is kept by no path, so that a run can be moved."""
    own = checkpoint_of(folder, iteration)
    place = "." if trained.checkpoint == own else str(trained.checkpoint)
    write_json(
        own / MARKER,
        {"checkpoint": place, "made_from": trained.made_from, "figures": trained.figures},
    )


def policy_for(folder: Path, iteration: int) -> str | None:
    """The policy that an iteration samples from, where a loop has trained it."""
    found = trained_of(folder, iteration - 1) if iteration > 1 else None
    return str(found.checkpoint.absolute()) if found else None
