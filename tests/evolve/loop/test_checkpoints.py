"""What a trainer leaves is the next policy only if it loads, differs, and speaks as the policy did."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file, save_file

from evolve.loop.checkpoint import check_checkpoint
from evolve.loop.trained import trained_of
from evolve.loop.training import MARK, last_lines
from fake_runs import prompt, write_source
from loops import loop, looped, start_policy, trainings
from perturbing_trainer import MOVED, main
from prompts.errors import UserError

FAULTS = {
    "nothing": "is not there, or empty",
    "half": "holds no model",
    "same": "its weights are those of the policy",
    "template": "its chat template is not that of the policy",
    "tokenizer": "its tokenizer is another one",
    "missing": "1 tensors of the policy in .* are missing",
    "truncated": "damaged or incomplete",
    "diverges": "no finite numbers",
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start_policy(tmp_path_factory.mktemp("start") / "policy")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(4)])


def written(start: Path, out: Path, fault: str) -> Path:
    out.mkdir()
    main(str(start), str(out), str(start / "config.json"), str(start), fault)
    return out


def test_a_trained_policy_is_taken(start: Path, tmp_path: Path) -> None:
    check_checkpoint(written(start, tmp_path / "out", ""), str(start))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_next_policy_is_refused(fault: str, start: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=FAULTS[fault]):
        check_checkpoint(written(start, tmp_path / "out", fault), str(start))


def test_rounding_to_another_precision_is_no_training(start: Path, tmp_path: Path) -> None:
    out = written(start, tmp_path / "out", "same")
    weights = {name: value.astype(np.float16) for name, value in load_file(out / "model.safetensors").items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="its weights are those of the policy"):
        check_checkpoint(out, str(start))
    weights[MOVED] = weights[MOVED] + np.float16(0.5)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    check_checkpoint(out, str(start))


def test_an_adapter_is_refused_with_the_way_out(start: Path, tmp_path: Path) -> None:
    out = written(start, tmp_path / "out", "half")
    (out / "adapter_config.json").write_text('{"base_model_name_or_path": "x/y"}')
    (out / "config.json").unlink()
    with pytest.raises(UserError, match="merge it into its base"):
        check_checkpoint(out, str(start))


def test_a_training_that_fails_is_told_with_its_last_lines_and_done_again(
    source: Path, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(UserError) as told:
        loop(looped(source, start, "fails"), folder)
    said = str(told.value)
    assert "training of iteration 1 ended with exit code 1" in said
    assert "line 99" in said
    assert "line 50" not in said
    assert "out of memory" in said
    assert "\x1b" not in said
    assert not (folder / "iteration-2").exists()
    assert trained_of(folder, 1) is None
    loop(looped(source, start), folder, 1)
    assert len(trainings(folder, 1)) == 2


def test_a_huge_log_is_told_by_its_end(source: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        loop(looped(source, start, "huge"), tmp_path / "run")
    assert len(str(told.value)) < 10_000
    assert "that was all" in str(told.value)
    log = tmp_path / "run" / "checkpoints" / "iteration-1.log"
    assert log.stat().st_size > 40 << 20
    assert len(last_lines(log)) < 10_000


def test_what_was_trained_and_is_no_policy_stops_the_loop(source: Path, start: Path, tmp_path: Path) -> None:
    for fault in ("nothing", "half"):
        with pytest.raises(UserError, match=r"(?s)ended well, but .*same command trains again"):
            loop(looped(source, start, fault), tmp_path / fault)
        assert trained_of(tmp_path / fault, 1) is None
        loop(looped(source, start), tmp_path / fault, 1)
        assert trained_of(tmp_path / fault, 1) is not None


def test_a_training_starts_in_an_empty_folder_unless_it_is_to_go_on(source: Path, start: Path, tmp_path: Path) -> None:
    for resume, there in ((False, False), (True, True)):
        folder = tmp_path / f"run-{resume}"
        with pytest.raises(UserError):
            loop(looped(source, start, "half", training__resume=resume), folder)
        mine = folder / "checkpoints" / "iteration-1" / "state"
        mine.write_text("of the trainer")
        loop(looped(source, start, training__resume=resume), folder, 1)
        assert mine.exists() is there


def test_no_process_of_a_training_is_left(source: Path, start: Path, tmp_path: Path) -> None:
    loop(looped(source, start, "leaves"), tmp_path / "run", 1)
    output = str((tmp_path / "run" / "checkpoints" / "iteration-1").resolve())
    marks = []
    for process in psutil.process_iter():
        try:
            marks.append(process.environ().get(MARK))
        except (psutil.Error, OSError):
            continue
    assert output not in marks


def test_a_command_that_is_none_is_told_before_anything_is_trained(source: Path, start: Path, tmp_path: Path) -> None:
    for command, said in (
        (["trainer", "{datset}", "{output}"], "datset} is nothing that is filled in"),
        (["trainer", "{dataset}"], "names no {output}"),
    ):
        with pytest.raises(UserError, match=said):
            looped(source, start, training__command=command)
    with pytest.raises(UserError, match="there is no program 'no-such-trainer'"):
        loop(looped(source, start, training__command=["no-such-trainer", "{output}"]), tmp_path / "run")


def test_an_argument_reaches_the_trainer_as_it_is(source: Path, start: Path, tmp_path: Path) -> None:
    odd = 'a b;$HOME `x` \'"{"lr": 1}'
    code = "import sys, pathlib; pathlib.Path(sys.argv[1] + '.said').write_text(sys.argv[2])"
    with pytest.raises(UserError):
        loop(looped(source, start, training__command=["{python}", "-c", code, "{output}", odd]), tmp_path / "run")
    said = tmp_path / "run" / "checkpoints" / "iteration-1.said"
    assert said.read_text() == odd
    shutil.rmtree(tmp_path / "run")
