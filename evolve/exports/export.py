"""A dataset of a run as a trainer reads it: the data, by sides, and beside it configurations that train with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from evolve.datasets.folder import find_dataset
from evolve.exports import dataset_info, responses
from evolve.exports.dataset_info import Entries
from evolve.exports.forms import FORMS, lines_of
from evolve.exports.lines import batches_of, write_sides
from evolve.exports.paper import MAX_LENGTH, MAX_PROMPT_LENGTH, training
from evolve.exports.seen import Limits, Seen
from evolve.exports.setup import Setup
from evolve.exports.split import TEST, TRAIN, Split, share_of, split_of
from evolve.exports.template import PolicyTemplate, policy_template
from evolve.exports.written import Earlier, Written, remove_stale
from evolve.pool.lookup import Lookup
from evolve.pool.output import is_special, output_file
from evolve.recipe.choices import ExportForm
from evolve.run import Run
from generation.engine import is_fake
from prompts.display import shown
from prompts.errors import UserError

GLOB = "*?["  # of which the readers of files make patterns


@dataclass(frozen=True)
class Wish:
    """What an export is asked for beside its form. `test` is a share such as "5%"; lengths are in tokens."""

    test: str | None = None
    margin: bool = False
    max_length: int | None = None
    max_prompt_length: int | None = None
    force: bool = False

    @property
    def limits(self) -> Limits:
        """The trainer's limits: those given, or the paper's, by which nothing is left out."""
        if self.max_length is None and self.max_prompt_length is None:
            return Limits(MAX_LENGTH, MAX_PROMPT_LENGTH)
        return Limits(self.max_length or MAX_LENGTH, self.max_prompt_length, drop=True)


def export(
    run: Run,
    name: str,
    out: Path,
    *,
    force: bool = False,
    margin: bool = False,
    test: str | None = None,
    max_length: int | None = None,
    max_prompt_length: int | None = None,
) -> str:
    """Write the dataset of a run as the form `name` to `out` and return lines that say what was written.

    `out` is a file; a folder for llamafactory, and with a test set. A file that is there is written over only if this
    run has exported it and nobody has changed it since, or by force. Raises `UserError`.
    """
    wish = Wish(test, margin, max_length, max_prompt_length, force)
    _check(name, wish)
    if name != "responses":
        return Export(run, name, out, wish).write()
    written = Written(run.folder)
    written.check(out, force)
    earlier = written.earlier(out)
    said = responses.write(run, out)
    gone = _remove_stale(out, [out], {}, earlier)
    written.keep(out, [out], {})
    return "\n".join([said, *(f"  {line}" for line in gone)])


def _remove_stale(data: Path, files: list[Path], entries: Entries, earlier: Earlier) -> list[str]:
    """Remove what was beside an earlier export to `data` and is not beside this one."""
    stale = {name: entry for name, entry in earlier.entries.items() if name not in entries}
    return [*remove_stale(earlier, files), *dataset_info.forget(data.parent, stale)]


def _check(name: str, wish: Wish) -> None:
    if name not in get_args(ExportForm):
        raise UserError(f"No form {name!r}: expected one of {', '.join(get_args(ExportForm))}.")
    if name == "responses" and wish != Wish(force=wish.force):
        raise UserError("responses are all that was sampled, no pairs: --test, --margin and lengths are not for them.")
    if wish.margin and not FORMS[name].has_margin:
        known = ", ".join(one for one, form in FORMS.items() if form.has_margin)
        raise UserError(f"No trainer of the form {name} reads a margin. Those with a margin loss read: {known}.")
    share_of(wish.test or "1%")


class Export:
    """One export: where its files go, what they are made with, and the counts of what became of the pairs."""

    def __init__(self, run: Run, name: str, out: Path, wish: Wish) -> None:
        self._run, self._name, self._wish, self._form = run, name, wish, FORMS[name]
        self._train = find_dataset(run) / "train.parquet"
        self._paths = self._named(out)
        self._template, self._untold = self._known_template()
        chat, end = (self._template.chat, self._template.end_id) if self._template else (None, None)
        self._seen = Seen(chat, end, self._cut_off, wish.limits)
        self._n: Counter[str] = Counter()

    def write(self) -> str:
        """Check that all may be written, then write the data, and beside it what trains with it."""
        written, data = Written(self._run.folder), self._paths[TRAIN]
        beside = not any(map(is_special, self._paths.values()))  # nothing can be beside a pipe
        configs = self._configs([]) if beside else {}
        entries = self._form.entries([*self._paths.values()]) if self._form.entries and beside else {}
        earlier = written.earlier(data) if beside else Earlier()
        if entries and data.name == dataset_info.NAME:
            raise UserError(f"{data} is LLaMA-Factory's description of a folder's files. Give another --out.")
        if entries:
            dataset_info.check(data.parent, entries, earlier.entries, self._wish.force)
        for path in [*self._paths.values(), *configs]:
            written.check(path, self._wish.force)
        write_sides(self._paths, self._lines())
        files = [*self._paths.values()]
        written.keep(data, files, entries, earlier)  # also after a kill from here on
        if entries:
            dataset_info.describe(data.parent, entries)
        told = [*self._seen.said(), *self._untold, *(self._warnings() if beside else [])]
        for path, content in self._configs(told).items() if beside else ():
            with output_file(path) as file:
                file.write(content.encode(errors="surrogateescape"))  # paths of any bytes
            files.append(path)
            written.keep(data, files, entries, earlier)
        told += _remove_stale(data, files, entries, earlier)
        written.keep(data, files, entries)
        said = [f"{path}: {self._n[side]:,} pairs for {self._name}" for side, path in self._paths.items()]
        said += [f"  {line}" for line in told]
        return "\n".join(said + [f"train with it: {', '.join(map(str, configs))}"] * bool(configs))

    def _named(self, out: Path) -> dict[str, Path]:
        """The file of each side."""
        if self._name == "llamafactory":
            stem = self._run.recipe.name
            paths = {TRAIN: out / f"{stem}.jsonl", TEST: out / f"{stem}-test.jsonl"}
        else:
            paths = {TRAIN: out / "train.jsonl", TEST: out / "test.jsonl"}
        if self._wish.test:
            return paths
        return {TRAIN: paths[TRAIN] if self._name == "llamafactory" else out}

    def _known_template(self) -> tuple[PolicyTemplate | None, list[str]]:
        """The policy's template, or what to say where it is not there and the export can do without."""
        try:
            return policy_template(self._run), []
        except UserError as error:
            if self._form.rows is None:
                raise UserError(f"The form {self._name} applies the policy's chat template. {error}") from error
            if self._wish.limits.drop:
                raise UserError(f"--max-length counts tokens of the policy's template. {error}") from error
            why = shown(str(error), one_line=True)
            return None, [f"what the policy's template does to the texts was not counted: {why}"]

    @cached_property
    def _responses(self) -> Lookup:
        return Lookup(self._run.pool.responses(self._run.sampler.id), "id")

    def _cut_off(self, response_ids: list[str]) -> list[bool]:
        """Which of the responses the length limit ended; not those whose rows the pool has lost."""
        known = [one for one in response_ids if one in self._responses]
        ends = self._responses.fetch(known, ["finish_reason"])["finish_reason"].to_pylist()
        found = dict(zip(known, ends, strict=True))
        return [found.get(one, "stop") != "stop" for one in response_ids]

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each line with its side. Raises `UserError` at the end where a side has none."""
        split, with_thoughts = self._split(), self._run.recipe.selection.with_thoughts
        for batch in batches_of(self._train):
            for pair in self._seen.keep(batch):
                side = split.side(pair["prompt_id"]) if split else TRAIN
                self._n[side] += 1
                for row in lines_of(self._form, pair, self._template, with_thoughts, self._wish.margin):
                    yield side, row
        if self._seen.dropped and not self._seen.n:
            raise UserError(f"No pair is left: {'; '.join(self._seen.said())}. Allow longer ones.")
        if split:
            split.needs_both(self._n)

    def _split(self) -> Split | None:
        """What is held out, if anything."""
        return split_of(self._run.pool, self._run.recipe.prompts.seed, self._wish.test) if self._wish.test else None

    def _configs(self, told: list[str]) -> dict[Path, str]:
        """The configurations, by path: each named after the file that it trains on."""
        recipe, limits, data = self._run.recipe, self._wish.limits, self._paths[TRAIN].absolute()
        is_folder = Path(recipe.policy.model).is_absolute()
        policy, _, commit = (recipe.policy.model, "", "") if is_folder else recipe.policy.model.partition("@")
        notes = [f"The policy was sampled at the commit {commit}."] if commit else []
        notes += ["The policy of this run is the fake one: put a model in its place."] if is_fake(policy) else []
        dpo, simpo = training(policy, recipe.reward.model, self._run.iteration)
        setup = Setup(
            data=data,
            test=self._paths[TEST].absolute() if TEST in self._paths else None,
            n_pairs=self._n[TRAIN],
            policy=policy,
            dpo=dpo,
            simpo=simpo,
            max_length=limits.max_length,
            template=self._template.text if self._template else "",
            notes=tuple(shown(line, one_line=True) for line in [*notes, *told]),
        )
        return {data.with_name(f"{data.stem}-{end}"): text for end, text in self._form.configs(setup).items()}

    def _warnings(self) -> list[str]:
        """What in the name of a file a trainer would trip over."""
        found = []
        for path in self._paths.values():
            if path.suffix not in (".jsonl", ".json"):
                found.append(f"most trainers know a file of JSON lines by its ending: call it {path.stem}.jsonl")
            if odd := sorted({char for char in str(path.absolute()) if char in self._form.breaks + GLOB}):
                found.append(f"its trainer takes {' '.join(odd)} in a path for a list or a pattern: move {path}")
        return [shown(line, one_line=True) for line in found]
