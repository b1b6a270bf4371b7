"""--test: families of prompts are on one side, the same in every export, and neither side is empty."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from evolve.api import select
from evolve.exports.export import export
from evolve.exports.split import Families, is_held_out, share_of
from evolve.recipe.stored import stored_recipe
from evolve.run import Run
from fake_runs import Made, fake_recipe, make, prompt, write_source
from prompts.errors import UserError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    source = write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(60)])
    return make(fake_recipe(source, selection__k="60%"), tmp_path_factory.mktemp("runs") / "run")


def view(made: Made, **changes: str) -> Run:
    recipe = stored_recipe(made.run, 1, {key.replace("__", "."): value for key, value in changes.items()})
    return Run(recipe, made.run, view_only=True)


def asked(path: Path) -> list[str]:
    return [json.loads(line)["prompt"][-1]["content"] for line in path.read_text().splitlines()]


def test_a_prompt_and_its_rewrites_are_on_one_side(made: Made, tmp_path: Path) -> None:
    said = export(view(made), "trl", tmp_path / "out", test="20%")
    side_of = {text: side for side in ("train", "test") for text in asked(tmp_path / "out" / f"{side}.jsonl")}
    rows = made.train.to_pylist()
    assert sum(len(asked(tmp_path / "out" / f"{side}.jsonl")) for side in ("train", "test")) == len(rows)
    sides = defaultdict(set)
    for row in rows:
        sides[row["parent_id"] or row["prompt_id"]].add(side_of[row["prompt"][-1]["content"]])
    assert any(len([row for row in rows if row["parent_id"] == family]) > 1 for family in sides)
    assert all(len(found) == 1 for found in sides.values())
    share = len(asked(tmp_path / "out" / "test.jsonl")) / len(rows)
    assert 0.1 < share < 0.3
    assert f"{tmp_path / 'out' / 'test.jsonl'}: {round(share * len(rows))} pairs" in said


def test_a_family_stays_where_it_is_whatever_selects(made: Made, tmp_path: Path) -> None:
    select(made.run, {"selection.metric": "eva"})
    export(view(made), "trl", tmp_path / "map", test="20%")
    export(view(made, selection__metric="eva"), "trl", tmp_path / "eva", test="20%")
    sides = [
        {side: set(asked(tmp_path / one / f"{side}.jsonl")) for side in ("train", "test")} for one in ("map", "eva")
    ]
    assert sides[0] != sides[1]
    assert not sides[0]["train"] & sides[1]["test"]
    assert not sides[0]["test"] & sides[1]["train"]


def test_datasets_reads_the_folder_as_two_splits(made: Made, tmp_path: Path) -> None:
    """As SimPO's scripts and alignment-handbook do; the configurations beside the data are in nobody's way."""
    import datasets

    export(view(made), "trl", tmp_path / "out", test="20%")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".jsonl", ".py"}
    for split in ("train", "test"):
        found = datasets.load_dataset(str(tmp_path / "out"), split=split, cache_dir=str(tmp_path / "cache"))
        assert [row["prompt"][-1]["content"] for row in found] == asked(tmp_path / "out" / f"{split}.jsonl")
        assert found.column_names == ["prompt", "chosen", "rejected"]


def test_llamafactory_knows_both_files(made: Made, tmp_path: Path) -> None:
    export(view(made), "llamafactory", tmp_path, test="20%")
    described = json.loads((tmp_path / "dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in described.items()} == {
        "fake": "fake.jsonl",
        "fake-test": "fake-test.jsonl",
    }
    assert all((tmp_path / entry["file_name"]).stat().st_size for entry in described.values())


def test_a_rewrite_of_two_prompts_makes_them_one_family(made: Made) -> None:
    from prompts.reasons import KEPT

    class Pool:
        """The columns of a pool's prompts that families are read from."""

        def __init__(self, rows: list[tuple[str, str, str]]) -> None:
            self._rows = [dict(zip(("id", "parent_id", "verdict"), row, strict=True)) for row in rows]
            self.prompts = self

        def scan(self, columns: list[str]) -> list[Pool]:
            return [self]

        def to_pylist(self) -> list[dict[str, str]]:
            return self._rows

    shared = [("r1", "a", KEPT), ("r1", "b", KEPT), ("r2", "b", KEPT), ("empty", "b", "empty"), ("empty", "c", "empty")]
    families = Families(Pool(shared))  # type: ignore[arg-type]
    assert len({families.of(one) for one in ("a", "b", "r1", "r2")}) == 1
    assert families.of("c") == "c"
    assert families.of("unknown") == "unknown"
    again = Families(Pool(shared[::-1]))  # type: ignore[arg-type]
    assert all(again.of(one) == families.of(one) for one in ("a", "b", "c", "r1", "r2"))


def test_the_share_is_near_and_larger_shares_hold_smaller_ones() -> None:
    families = [f"family {i}" for i in range(4_000)]
    held = [{one for one in families if is_held_out(one, 0, share)} for share in (0.05, 0.2, 0.5)]
    assert [len(one) / len(families) for one in held] == pytest.approx([0.05, 0.2, 0.5], abs=0.02)
    assert held[0] < held[1] < held[2]
    assert held[0] != {one for one in families if is_held_out(one, 1, 0.05)}


@pytest.mark.parametrize("share", ["0.001%", "99.999%"])
def test_a_share_that_leaves_a_side_empty_is_refused(made: Made, tmp_path: Path, share: str) -> None:
    with pytest.raises(UserError, match="leaves one side empty"):
        export(view(made), "trl", tmp_path / "out", test=share)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("share", ["0%", "100%", "5", "0.05", "-1%", "", "x%", "5 %", "1e1%", "٥%"])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(UserError, match="no share: expected a percentage"):
        share_of(share)
