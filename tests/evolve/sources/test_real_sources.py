"""Prompts through `datasets`, and real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_sources import THREE, books_balance, parquet

from evolve.sources.hub import open_hub
from evolve.sources.prompts import load_prompts
from places import SHARED
from prompts.errors import UserError

REAL = SHARED / "data"


def test_a_dataset_through_the_datasets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder by a name that looks like the Hub's: `datasets` itself reads it, with its own splits and errors."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    parquet(tmp_path / "org" / "name" / "data" / "train_prefs-00000-of-00001.parquet", THREE)
    parquet(tmp_path / "org" / "name" / "data" / "test_prefs-00000-of-00001.parquet", ["other"])
    found = open_hub("org/name", "train_prefs")
    assert [row["prompt"] for row in found.rows(["prompt"])] == THREE  # type: ignore[index]
    assert found.columns == ("prompt",)
    for split, says in ((None, "Set `prompts.split`"), ("absent", "train_prefs")):
        with pytest.raises(UserError) as error:
            open_hub("org/name", split)
        assert says in str(error.value)
    with pytest.raises(UserError, match="NAME:CONFIG"):
        open_hub("org/name:german", "train_prefs")


@pytest.mark.parametrize(("name", "n"), [("ultrafeedback-1000.jsonl", 1000), ("self-instruct-seeds.jsonl", 175)])
def test_real_prompts(name: str, n: int) -> None:
    if not (REAL / name).exists():
        pytest.skip(f"real prompts are not at {REAL}")
    drawn = load_prompts(str(REAL / name))
    assert drawn.n_in == n
    assert books_balance(drawn)
    assert len(drawn) >= 0.95 * n
    assert len({prompt.id for prompt in drawn.prompts}) == len(drawn)
    first, second = (load_prompts(str(REAL / name), limit=80, draw=d) for d in (1, 2))
    assert not {p.id for p in first.prompts} & {p.id for p in second.prompts}
