"""Kill it, damage its files, fill its disk, let its engine die: nothing is lost and nothing is done twice."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from fake_runs import fake_recipe, made_so_far, make, pool_rows, prompt, write_source
from killed_runs import N_PROMPTS, calls, command, dataset, finished, n_files, started, written


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(N_PROMPTS)])


def test_killed_at_any_moment_it_ends_in_the_same_bytes_and_does_nothing_twice(source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(source, policy__in_flight=4, policy__engine={"delay": 0.01})
    config = written(recipe, tmp_path / "fake.toml")
    code, log = finished(config, tmp_path / "whole")
    assert code == 0, log
    whole, n_whole = pool_rows(tmp_path / "whole"), n_files(tmp_path / "whole")
    total = calls(tmp_path / "whole")
    assert all(total.values())

    rng = random.Random(20)
    progress: Counter[str] = Counter()
    n_killed = 0
    for chain, stride in enumerate((4, 8, 16, n_whole)):
        folder = tmp_path / f"chain-{chain}"
        for _ in range(8):
            n_new = rng.randrange(stride) if _state(folder) != "finished" else 0
            process = started(config, folder)
            before = n_files(folder)
            while process.is_alive() and n_files(folder) < before + n_new:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.03))
            process.kill()
            process.join()
            n_killed += process.exitcode == -signal.SIGKILL
            progress[_state(folder)] += 1
        before_last = made_so_far(folder)
        code, log = finished(config, folder)
        assert code == 0, log
        assert pool_rows(folder) == whole  # lists with every row: none is missing, changed or doubled
        assert dataset(folder) == dataset(tmp_path / "whole")
        assert calls(folder) == {name: total[name] - before_last[name] for name in total}
        assert not list((folder / "pool").rglob(".*"))
    assert n_killed >= 20
    assert progress["some rows"] >= 10, progress


def _state(folder: Path) -> str:
    """How far a killed run had come."""
    if list(folder.glob("iteration-1/*/*/manifest.json")):
        return "finished"
    return "some rows" if list(folder.glob("pool/responses/*/*.parquet")) else "no rows"


def test_interrupted_it_says_so_and_keeps_what_was_finished(source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(source, policy__in_flight=4, policy__engine={"delay": 0.05})
    config = written(recipe, tmp_path / "fake.toml")
    code = (  # a job in the background inherits an ignored SIGINT
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import evolve.cli; evolve.cli.main()"
    )
    arguments = [sys.executable, "-c", code, "run", str(config), "--run", str(tmp_path / "run")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "run" / "pool").glob("settings/sampler-*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "same command goes on" in err
    assert "Traceback" not in err
    assert out == ""
    kept = made_so_far(tmp_path / "run")
    assert kept["rewrite"] > 0
    made = make(fake_recipe(source, policy__engine={"delay": 0.05}), tmp_path / "run")
    assert made.calls["rewrite"] == N_PROMPTS * 5 - kept["rewrite"]
    whole = make(fake_recipe(source, policy__engine={"delay": 0.05}), tmp_path / "whole")
    assert made.calls["sample"] == whole.calls["sample"] - kept["sample"]
    assert dataset(tmp_path / "run") == dataset(tmp_path / "whole")


def test_a_second_process_on_a_run_is_refused_and_the_first_goes_on(source: Path, tmp_path: Path) -> None:
    config = written(fake_recipe(source, policy__in_flight=2, policy__engine={"delay": 0.02}), tmp_path / "fake.toml")
    first = started(config, tmp_path / "run")
    while not list((tmp_path / "run" / "pool").glob("responses/*/*.parquet")):
        assert first.is_alive()
        time.sleep(0.01)
    shutil.copy(config, tmp_path / "second.toml")
    log = tmp_path / "second.log"
    second = multiprocessing.get_context("forkserver").Process(
        target=command, args=(str(tmp_path / "second.toml"), str(tmp_path / "run"), 9, 0, str(log))
    )
    second.start()
    second.join()
    assert second.exitcode == 2
    assert f"is in use by another process (process {first.pid} on" in log.read_text()
    first.join()
    assert first.exitcode == 0
    assert finished(config, tmp_path / "whole")[0] == 0
    assert pool_rows(tmp_path / "run") == pool_rows(tmp_path / "whole")
