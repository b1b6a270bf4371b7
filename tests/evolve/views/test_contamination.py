"""What repeats a benchmark leaves a run's sets, in every algorithm, counted; and stays out when the source is gone."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import main
from evolve.exports.hub.public import public
from evolve.recipe.loading import load_recipe
from evolve.recipe.stored import stored_recipe
from fake_runs import NO_CALLS, Made, balanced, fake_recipe, make, prompt, write_source
from prompts.errors import UserError

PLANTED = (3, 7, 11)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(16)])


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(fake_recipe(source, selection__k="50%"), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Three prompts of X, shouted, a rewrite of none of them, and one of nobody."""
    said = [prompt(i).upper().replace(" ", " ... ") for i in PLANTED]
    return write_source(tmp_path / "benchmark.jsonl", [*said, "of this there is not a word in any prompt at all"])


def view(made: Made, benchmark: Path, **changes: Any) -> Made:
    changes = {"selection.decontaminate": [str(benchmark)]} | {f"selection.{key}": one for key, one in changes.items()}
    return make(stored_recipe(made.run, 1, changes), made.run, view_only=True)


def texts(rows: Any) -> set[str]:
    return {messages[-1]["content"] for messages in rows["prompt"].to_pylist()}


def test_repeated_prompts_and_their_rewrites_leave_d_and_d_prime(made: Made, benchmark: Path) -> None:
    planted = {prompt(i) for i in PLANTED}
    assert planted <= texts(made.train)  # what has to leave would be seen
    ids = {row["prompt_id"] for row in made.train.to_pylist() if row["prompt"][-1]["content"] in planted}
    clean = view(made, benchmark, k="100%")
    assert clean.calls == NO_CALLS
    assert not texts(clean.train) & planted
    assert not ids & set(clean.train["parent_id"].to_pylist())
    books, before = balanced(clean.manifest), view(made, benchmark, k="100%", decontaminate=[]).manifest["rows"]
    assert books["gen_dataset_initial"]["dropped"]["contaminated"] == len(PLANTED)
    rewrites = sum(parent in ids for parent in made.outcome.evolved.parent_ids)
    gone = before["gen_dataset_evolved"]["kept"] - books["gen_dataset_evolved"]["kept"]
    assert books["gen_dataset_evolved"]["dropped"]["contaminated"] == gone > 0
    assert gone <= rewrites


def test_the_dataset_says_what_it_was_held_against_and_lies_beside_the_other(made: Made, benchmark: Path) -> None:
    clean = view(made, benchmark)
    said = clean.manifest["contamination"]
    assert [(one["source"], one["prompts"]) for one in said["against"]] == [(str(benchmark), 4)]
    assert (said["ngram"], said["threshold"]) == (8, 0.5)
    assert "decontaminate_benchmark_" in clean.folder.name
    assert clean.folder.parent == made.folder.parent
    card = (clean.folder / "README.md").read_text()
    assert "benchmark.jsonl` (4 prompts) have left" in card
    assert made.manifest["contamination"] is None
    assert "have left" not in (made.folder / "README.md").read_text()
    assert str(benchmark.parent) not in json.dumps(public(clean.manifest))


def test_a_view_stays_the_same_when_the_benchmark_is_gone_or_changed(made: Made, benchmark: Path) -> None:
    first = view(made, benchmark)
    write_source(benchmark, ["something else altogether is written in the file by now"])
    assert view(made, benchmark).train.equals(first.train)
    benchmark.unlink()
    again = view(made, benchmark, metric="eva")
    assert again.manifest["contamination"] == first.manifest["contamination"]


def test_what_is_kept_is_checked_and_read_anew_when_damaged(made: Made, benchmark: Path) -> None:
    first = view(made, benchmark)
    kept = [path for path in (made.run / "benchmarks").glob("*.json") if str(benchmark) in path.read_text()]
    (path,) = kept
    whole = path.read_text()
    path.write_text(whole.replace('"n_words": "', '"n_words": "AAAA'))
    assert view(made, benchmark).train.equals(first.train)
    assert path.read_text() == whole
    path.write_text("{")
    benchmark.unlink()
    with pytest.raises(UserError, match="No file at"):
        view(made, benchmark)


@pytest.mark.parametrize(
    ("algorithm", "ranked"),
    [
        ("evolve-then-select", "evolved"),
        ("evolve-then-select", "combined"),
        ("select-then-evolve", "evolved"),
        ("select-only", "evolved"),
    ],
)
def test_no_algorithm_trains_on_what_repeats(
    algorithm: str, ranked: str, source: Path, benchmark: Path, tmp_path: Path
) -> None:
    recipe = fake_recipe(
        source,
        algorithm=algorithm,
        selection__k="50%",
        selection__pool=ranked,
        selection__decontaminate=[str(benchmark)],
    )
    made = make(recipe, tmp_path / "run")
    balanced(made.manifest)
    assert len(made.train)
    assert not texts(made.train) & {prompt(i) for i in PLANTED}


def test_a_missing_benchmark_is_told_before_any_model_works(source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(source, selection__decontaminate=[str(tmp_path / "none.jsonl")])
    with pytest.raises(UserError, match=r"No file at .*none\.jsonl"):
        make(recipe, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.parquet"))


def test_paths_in_a_recipe_are_relative_to_it_and_names_stay_names(tmp_path: Path) -> None:
    text = '[prompts]\nsource = "./x.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    text += '[selection]\ndecontaminate = ["./b.jsonl", "ifeval", "owner/name#test"]\n'
    (tmp_path / "mine.toml").write_text(text)
    sources = load_recipe(str(tmp_path / "mine.toml")).selection.decontaminate
    assert set(sources) == {str(tmp_path / "b.jsonl"), "ifeval", "owner/name#test"}


@pytest.mark.parametrize("value", [3, [3], [""], ["  "], {"a": 1}])
def test_what_names_no_benchmark_is_refused(value: Any, source: Path) -> None:
    with pytest.raises(UserError, match="expected a list of files"):
        fake_recipe(source, selection__decontaminate=value)


def test_the_command_finds_them_and_prints_json(
    made: Made, benchmark: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def evolve(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["evolve", "contamination", str(made.run), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    code, out, _ = evolve("--against", benchmark, "--json", "--worst", "2")
    found = json.loads(out)
    sets = found["benchmarks"][0]["sets"]
    assert code == 0
    assert (sets["X"]["repeating"], sets["X"]["prompts"]) == (3, 16)
    assert sets["X"]["share_repeating"] == 3 / 16
    assert sets["X"]["benchmark_prompts_repeated"] == 3
    assert sets["X'"]["prompts"] == len(made.outcome.evolved.ids)
    assert len(found["worst"]) == 2
    for one in found["worst"]:
        assert one["share"] == 1.0
        assert one["prompt"] == prompt(PLANTED[one["row"]])
        assert one["shared_words"] == one["prompt"].lower().replace(":", "")
        assert "X" in one["in"]
    code, out, _ = evolve("--against", benchmark)
    assert code == 0
    assert "100% of row 0" in out
    for against, said in (("", "names no benchmark"), ("gone.jsonl", "No file at gone.jsonl")):
        code, _, err = evolve("--against", against)
        assert code == 2
        assert said in err


def test_diversity_by_hand(made: Made) -> None:
    rows = made.train.to_pylist()
    said = made.manifest["diversity"]["train"]
    assert said["pairs"] == said["read"] == len(rows)
    assert said["prompts"] == len({row["prompt_id"] for row in rows})
    assert said["parents"] == len({row["parent_id"] or row["prompt_id"] for row in rows})
    words = [row["prompt"][-1]["content"].lower().replace(":", "").replace(".", "").split() for row in rows]
    pairs = [pair for one in words for pair in pairwise(one)]
    assert said["distinct_of_prompts"]["2"] == len(set(pairs)) / len(pairs)
