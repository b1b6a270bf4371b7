"""`evolve loop`: the dataset of an iteration, the training on it, and the trained policy as that of the next one.

All state is files. In the run's folder checkpoints/iteration-T is what was trained on the dataset of iteration T; it
counts once trained.json is in it, which is written last and says what it was trained from.
"""

from __future__ import annotations

import gc
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evolve.api import execute
from evolve.datasets.folder import find_dataset, read_manifest
from evolve.exports.paper import training as of_the_paper
from evolve.loop.checkpoint import check_checkpoint
from evolve.loop.growing import next_prompts
from evolve.loop.manifest import tokens_of, write_manifest
from evolve.loop.trained import Trained, checkpoint_of, keep_trained, trained_of
from evolve.loop.training import last_lines, train
from evolve.pool.files import told
from evolve.pool.lock import exclusive
from evolve.recipe import stored
from evolve.recipe.fingerprint import file_digest, fingerprint, is_weightless
from evolve.recipe.sections import Recipe, Reference
from evolve.recipe.training import filled
from evolve.reports.drift import NAME as DRIFT
from evolve.reports.drift import drift_lines, keep_drift, kept_drift
from evolve.run import Run
from evolve.watch.memory import used_mib
from generation.engine import is_fake
from prompts.errors import UserError


@dataclass
class Loop:
    """A recipe's iterations 1 to `n` on a folder. `trained`: a checkpoint that the user has trained on the last dataset
    there is. `go_on(option)` is the command that goes on, with an option more.
    """

    recipe: Recipe
    folder: Path
    n: int
    trained: str | None
    go_on: Callable[[str], str]

    def run(self) -> str:
        """Go as far as there is something to train with; returns what to tell. Raises `UserError`, and `Busy` where
        another loop is at work in the folder.
        """
        with told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / "loop.lock", f"The loop in {self.folder}"):
            policy = self.recipe.policy.model
            for iteration in range(1, self.n + 1):
                dataset = self._dataset(iteration, policy)
                trained = self._training(iteration, policy, dataset)
                write_manifest(self.folder)
                if trained is None:
                    return self._stopped(iteration, policy, dataset)
                policy = trained
            return self._done(policy)

    def _recipe_of(self, iteration: int, policy: str) -> Recipe:
        """The recipe of an iteration: the policy moves, X may grow, and the implicit reward may change its form."""
        recipe, changes = self.recipe, dict[str, Any]()
        changes["policy"] = recipe.policy.model_copy(update={"model": policy})
        if iteration > 1 and recipe.training.prompts == "grow":
            x = next_prompts(self.folder, iteration)
            changes["prompts"] = recipe.prompts.model_copy(
                update={"source": str(x), "split": None, "column": None, "limit": None, "draw": 1}
            )
        if iteration > 1 and (form := recipe.training.implicit):
            changes["selection"] = recipe.selection.model_copy(update={"implicit": form})
            if form == "dpo" and recipe.reference is None:
                changes["reference"] = Reference(model=self.recipe.policy.model, dtype=recipe.policy.dtype)
        return recipe.model_copy(update=changes)

    def _dataset(self, iteration: int, policy: str) -> Path:
        """The folder of the iteration's dataset, made if it is not there; its figures are kept."""
        recipe = self._recipe_of(iteration, policy)
        dataset = self._found(recipe, iteration)
        if dataset is None:
            print(f"evolve: iteration {iteration} of {self.n}, policy {policy}", file=sys.stderr, flush=True)
            run, _, made = execute(recipe, self.folder, iteration, view_only=False)
            run.pool.close()
            dataset = made.folder
        if not (self.folder / f"iteration-{iteration}" / DRIFT).is_file():
            view = Run(stored.stored_recipe(self.folder, iteration, {}), self.folder, iteration, view_only=True)
            keep_drift(view, view.execute())
            view.pool.close()
        return dataset

    def _found(self, recipe: Recipe, iteration: int) -> Path | None:
        """The dataset of the iteration if it is whole and nothing of it is owed."""
        if iteration not in stored.iterations(self.folder):
            return None
        run = Run(recipe, self.folder, iteration)
        try:
            found = find_dataset(run)
        except UserError:
            return None
        finally:
            run.pool.close()
        return None if read_manifest(found).get("owed") else found

    def _training(self, iteration: int, policy: str, dataset: Path) -> str | None:
        """The policy that is trained on the iteration's dataset; None where nothing is there to train it."""
        made_from = self._made_from(policy, dataset)
        there = trained_of(self.folder, iteration)
        if there is not None:
            there.check(made_from)
            return self._named(there.checkpoint)
        if self.trained is not None:
            given, self.trained = Path(self.trained).expanduser().absolute(), None
            if not self._is_policy(given, policy):
                check_checkpoint(given, self._folder_of(policy))
                keep_trained(self.folder, iteration, Trained(given, made_from, {}))
                return self._named(given)
        if not self.recipe.training.command:
            return None
        return self._named(self._train(iteration, policy, dataset, made_from))

    def _train(self, iteration: int, policy: str, dataset: Path, made_from: dict[str, Any]) -> Path:
        """Train, check what came of it, and keep that it is whole."""
        output, training = checkpoint_of(self.folder, iteration), self.recipe.training
        with told(output):
            if output.exists() and not training.resume:
                shutil.rmtree(output)
            output.mkdir(parents=True, exist_ok=True)
        let_go()
        memory, started = used_mib(), time.monotonic()
        log = output.with_suffix(".log")
        what = f"training of iteration {iteration}"
        train(filled(training.command, self._values(iteration, policy, dataset, output)), output, log, what)
        seconds = time.monotonic() - started
        try:
            check_checkpoint(output, self._folder_of(policy))
        except UserError as error:
            raise UserError(
                f"The {what} ended well, but {error}\nIts last lines ({log}):\n{last_lines(log)}\nThe same command "
                "trains again."
            ) from error
        figures = {"seconds": round(seconds, 3), "tokens": tokens_of(dataset), "memory_mib_before": memory}
        keep_trained(self.folder, iteration, Trained(output, made_from, figures))
        return output

    def _values(self, iteration: int, policy: str, dataset: Path, output: Path) -> dict[str, str]:
        """What the names in a training command stand for. The paper's row is that of the first policy."""
        training = self.recipe.training
        dpo, simpo = of_the_paper(self.recipe.policy.model, self.recipe.reward.model, iteration)
        row = dpo if training.method == "dpo" else simpo
        return {
            "dataset": str((dataset / "train.parquet").absolute()),
            "policy": self._folder_of(policy),
            "output": str(output.absolute()),
            "reference": self.recipe.policy.model,
            "run": str(self.folder.absolute()),
            "iteration": str(iteration),
            "python": sys.executable,
            "method": training.method,
            "learning_rate": repr(row.learning_rate),
            "beta": repr(row.beta),
            "gamma": repr(row.gamma),
        }

    def _made_from(self, policy: str, dataset: Path) -> dict[str, Any]:
        """What a checkpoint is trained from: another dataset, policy or command makes another one."""
        command = list(self.recipe.training.command)
        return {
            "dataset": file_digest(dataset / "train.parquet"),
            "policy": fingerprint(policy),
            "command": [*command, self.recipe.training.method] if command else [],
        }

    @cached_property
    def _is_dry(self) -> bool:
        return is_fake(self.recipe.policy.model)

    def _named(self, checkpoint: Path) -> str:
        """A checkpoint as the recipe calls it. Where the fake policy samples, it samples for what is trained too."""
        return f"fake:{fingerprint(str(checkpoint))}" if self._is_dry else str(checkpoint.absolute())

    def _folder_of(self, policy: str) -> str:
        """What a trainer is given as the policy: a folder, or the first policy by its name."""
        if not self._is_dry or policy == self.recipe.policy.model:
            return policy if is_weightless(policy) or not Path(policy).is_dir() else str(Path(policy).absolute())
        every = (trained_of(self.folder, one) for one in stored.iterations(self.folder))
        return next(str(one.checkpoint) for one in every if one and self._named(one.checkpoint) == policy)

    def _is_policy(self, given: Path, policy: str) -> bool:
        """Whether a checkpoint that the user names is the policy already: the command was given a second time."""
        return given.is_dir() and self._named(given) == policy

    def _stopped(self, iteration: int, policy: str, dataset: Path) -> str:
        """What to do where no command trains."""
        lines = [
            f"Iteration {iteration} of {self.n} has its dataset, and the recipe has no training.command.",
            f"  train     {self._folder_of(policy)}",
            f"  on        {dataset / 'train.parquet'}",
            f"  go on by  {self.go_on('--trained CHECKPOINT')}",
        ]
        return "\n".join([*lines, "", *self._drift()])

    def _done(self, policy: str) -> str:
        lines = [f"{self.n} iterations in {self.folder}", f"  the policy now  {self._folder_of(policy)}"]
        rewards = [(row["iteration"], row["mean_reward"]) for row in kept_drift(self.folder)[: self.n]]
        known = [(iteration, mean) for iteration, mean in rewards if mean is not None]
        if len(known) > 1:
            (first, before), (last, after) = known[0], known[-1]
            moved = f"{before:.4g} in iteration {first}, {after:.4g} in iteration {last} ({after - before:+.4g})"
            lines.append(f"  mean reward of all responses to X  {moved}")
        return "\n".join([*lines, "", *self._drift()])

    def _drift(self) -> list[str]:
        return [f"  {line}" for line in drift_lines(kept_drift(self.folder))]


def let_go() -> None:
    """Give back what this process still holds of a device: the policy's engine is gone, a reward model's memory is kept
    by torch for the next one.
    """
    gc.collect()
    torch = sys.modules.get("torch")  # where nothing has imported it, nothing is on a device
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
