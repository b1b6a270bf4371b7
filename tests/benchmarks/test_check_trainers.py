"""`make check-trainers` around the comparison: pins, the table and what it exits by, copies of a run with edge rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.trainers.__main__ import table
from benchmarks.trainers.checking import Result
from benchmarks.trainers.comparing import Compared
from benchmarks.trainers.environments import HERE, Failed, pins, run_logged, version
from benchmarks.trainers.rows import EDGES, dataset_of, edge_run
from benchmarks.trainers.trainers import DEFAULT, TRAINERS, Trainer
from evolve.recipe.choices import ExportForm

SAME = {"chosen": None, "rejected": None}
SPOILED = {"chosen": None, "rejected": "lost prompt"}


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_has_a_loader_a_form_and_pins_without_a_torch_of_their_own(name: str) -> None:
    trainer = TRAINERS[name]
    assert (HERE / f"loaders/{trainer.module}.py").is_file()
    assert trainer.form in get_args(ExportForm)
    lines = [line for line in pins(trainer).read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 20
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[\w.+]+", line)] == []
    assert not {"torch", "torchvision", "torchaudio"} & {line.partition("==")[0] for line in lines}
    assert re.match(r"[0-9]", version(trainer))


def test_a_trainer_without_a_pinned_version_is_told() -> None:
    with pytest.raises(Failed, match="no version of another"):
        version(Trainer("OpenRLHF", "openrlhf", "another", "openrlhf"))


def test_the_default_is_what_the_make_target_promises() -> None:
    assert [TRAINERS[name].title for name in DEFAULT] == ["LLaMA-Factory", "OpenRLHF", "ms-swift"]


def test_the_table_has_a_line_a_trainer_and_says_what_is_wrong() -> None:
    good = Result("A", "1", "trl", run=Compared([SAME] * 3), edges=Compared([SAME, SPOILED]), seconds=4.4)
    bad = Result("B", "2", "text", run=Compared([SAME, SPOILED]), told=["rejected, 1 rows: lost prompt"])
    failed = Result("C", "3", "kto", failed="exit 1, a log: KeyError")
    assert (good.passed, bad.passed, failed.passed) == (True, False, False)
    assert table([good, bad, failed]).splitlines()[2:] == [
        "| A 1 | trl | 3 | 3 | 3 | 1/2 | 4 |",
        "| B 2 | text | 2 | 2 | 1 | - | - |",
        "| C 3 | kto | - | - | - | - | - |",
        "",
        "- B: rejected, 1 rows: lost prompt",
        "- C: failed. exit 1, a log: KeyError",
    ]


def test_rows_that_a_loader_adds_do_not_pass() -> None:
    assert not Result("A", "1", "trl", run=Compared([SAME], added=1)).passed


def test_a_step_that_fails_says_the_end_of_its_log(tmp_path: Path) -> None:
    run_logged(["sh", "-c", 'test "$X" = a'], tmp_path / "log", X="a")
    with pytest.raises(Failed, match=r"exit 3, .*log: the reason$"):
        run_logged(["sh", "-c", "echo first; echo the reason >&2; exit 3"], tmp_path / "log")


def test_the_edge_run_is_the_run_with_the_edge_rows(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "iteration-1").mkdir(parents=True)
    (run / "exports.json").write_text("{}")
    said = [{"role": "user", "content": "a"}]
    columns = {name: [said] * 20 for name in ("prompt", "chosen", "rejected")} | {
        "score": [float(i) for i in range(20)]
    }
    pq.write_table(pa.table(columns), run / "iteration-1/train.parquet")
    copy = edge_run(run, tmp_path / "copy")
    rows = dataset_of(copy)
    assert [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows] == list(EDGES.values())
    assert [row["score"] for row in rows] == list(range(len(EDGES)))
    assert not (copy / "exports.json").exists()
    assert len(dataset_of(run)) == 20
    assert edge_run(run, copy) == copy  # made anew over what is there
