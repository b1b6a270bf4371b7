"""Kill it, damage its files, fill its disk, let its engine die: nothing is lost and nothing is done twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import evolve.cli.program
import evolve.pool.table
from evolve.pool.table import DamagedPart
from evolve.recipe.sections import Recipe
from evolve.reports.status import describe
from fake_runs import NO_CALLS, fake_recipe, made_so_far, make, pool_rows, prompt, write_source
from places import ROOT

MODULES = [
    "evolve.cli.program",
    "evolve.run",
    "evolve.datasets.folder",
    "evolve.reports.summary",
    "generation.engines.fake",
    "rewards.models.fake",
    __name__,
]
N_PROMPTS = 12
DATASET = ("train.parquet", "selected.parquet", "README.md")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of syncs to a busy disk take minutes, and prove no more."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", [prompt(i) for i in range(N_PROMPTS)])


def _written(recipe: Recipe, path: Path) -> Path:
    """The recipe as a file that the command line takes."""
    lines = [f'[prompts]\nsource = "{recipe.prompts.source}"', f"[policy]\nin_flight = {recipe.policy.in_flight}"]
    lines += ['model = "fake"', f"engine = {{delay = {recipe.policy.engine.get('delay', 0.0)}}}"]
    path.write_text("\n".join([*lines, '[reward]\nmodel = "fake"\n']), encoding="utf-8")
    return path


def _command(config: str, folder: str, n_rows: int, limit: int, log: str) -> None:
    """`evolve run` in a process of its own, with small parts, and a limit on the size of files where one is given."""
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    evolve.pool.table.ROWS_PER_PART, evolve.pool.table.SECONDS_PER_PART = n_rows, 0.05
    sys.argv = ["evolve", "run", config, "--run", folder]
    evolve.cli.program.main()


def _started(config: Path, folder: Path, n_rows: int = 9, limit: int = 0) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (str(config), str(folder), n_rows, limit, str(folder.with_suffix(".log")))
    process = context.Process(target=_command, args=arguments)
    process.start()
    return process


def _finished(config: Path, folder: Path, **options: Any) -> tuple[int, str]:
    """Exit code and what was printed."""
    process = _started(config, folder, **options)
    process.join()
    return process.exitcode, folder.with_suffix(".log").read_text(encoding="utf-8")


def _n_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _dataset(folder: Path) -> dict[str, bytes]:
    (manifest,) = folder.glob("iteration-1/*/*/manifest.json")
    return {name: (manifest.parent / name).read_bytes() for name in DATASET}


def _calls(folder: Path) -> dict[str, int]:
    (manifest,) = folder.glob("iteration-1/*/*/manifest.json")
    calls: dict[str, int] = json.loads(manifest.read_text(encoding="utf-8"))["model_calls"]
    return calls


def test_killed_at_any_moment_it_ends_in_the_same_bytes_and_does_nothing_twice(source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(source, policy__in_flight=4, policy__engine={"delay": 0.01})
    config = _written(recipe, tmp_path / "fake.toml")
    code, log = _finished(config, tmp_path / "whole")
    assert code == 0, log
    whole, n_files = pool_rows(tmp_path / "whole"), _n_files(tmp_path / "whole")
    total = _calls(tmp_path / "whole")
    assert all(total.values())

    rng = random.Random(20)
    progress: Counter[str] = Counter()
    n_killed = 0
    for chain, stride in enumerate((4, 8, 16, n_files)):
        folder = tmp_path / f"chain-{chain}"
        for _ in range(8):
            n_new = rng.randrange(stride) if _state(folder) != "finished" else 0
            process = _started(config, folder)
            before = _n_files(folder)
            while process.is_alive() and _n_files(folder) < before + n_new:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.03))
            process.kill()
            process.join()
            n_killed += process.exitcode == -signal.SIGKILL
            progress[_state(folder)] += 1
        before_last = made_so_far(folder)
        code, log = _finished(config, folder)
        assert code == 0, log
        assert pool_rows(folder) == whole  # lists with every row: none is missing, changed or doubled
        assert _dataset(folder) == _dataset(tmp_path / "whole")
        assert _calls(folder) == {name: total[name] - before_last[name] for name in total}
        assert not list((folder / "pool").rglob(".*"))
    assert n_killed >= 20
    assert progress["some rows"] >= 10, progress


def _state(folder: Path) -> str:
    """How far a killed run had come."""
    if list(folder.glob("iteration-1/*/*/manifest.json")):
        return "finished"
    return "some rows" if list(folder.glob("pool/responses/*.parquet")) else "no rows"


def test_interrupted_it_says_so_and_keeps_what_was_finished(source: Path, tmp_path: Path) -> None:
    recipe = fake_recipe(source, policy__in_flight=4, policy__engine={"delay": 0.05})
    config = _written(recipe, tmp_path / "fake.toml")
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
    assert _dataset(tmp_path / "run") == _dataset(tmp_path / "whole")


def _damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]
    path.write_bytes({"truncated": data[:middle], "bit flipped": flipped, "emptied": b""}[how])


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.pool.table.ROWS_PER_PART", 30)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("table", "number", "how", "stage"),
    [
        ("prompts", 0, "truncated", None),  # X
        ("prompts", -1, "bit flipped", "rewrite"),
        ("responses", 0, "emptied", "sample"),
        ("responses", 3, "bit flipped", "sample"),
        ("rewards/*", 1, "truncated", "reward"),
    ],
)
def test_a_damaged_part_is_named_and_only_its_rows_are_made_again(
    source: Path, tmp_path: Path, table: str, number: int, how: str, stage: str | None
) -> None:
    recipe = fake_recipe(source)
    made = make(recipe, tmp_path / "run")
    whole, files = pool_rows(tmp_path / "run"), _dataset(tmp_path / "run")
    path = sorted((tmp_path / "run" / "pool").glob(f"{table}/*.parquet"))[number]
    lost = pq.read_table(path).num_rows
    _damaged(path, how)

    with pytest.raises(DamagedPart, match=f"{path.name} is damaged.*`evolve run`"):
        make(fake_recipe(source, selection__metric="eva"), tmp_path / "run", view_only=True)
    assert path.exists()
    again = make(recipe, tmp_path / "run")
    assert again.calls == (NO_CALLS | {stage: lost} if stage else NO_CALLS)
    assert _dataset(tmp_path / "run") == files
    assert pool_rows(tmp_path / "run") == whole
    assert path.with_suffix(".damaged").name in describe(tmp_path / "run")
    assert again.manifest["rows"] == made.manifest["rows"]
    assert make(recipe, tmp_path / "run").calls == NO_CALLS


@pytest.mark.usefixtures("in_parts")
def test_damage_in_every_table_at_once(source: Path, tmp_path: Path) -> None:
    make(fake_recipe(source), tmp_path / "run")
    whole, files = pool_rows(tmp_path / "run"), _dataset(tmp_path / "run")
    for path in sorted((tmp_path / "run" / "pool").rglob("*.parquet"))[::2]:
        _damaged(path, "truncated")
    for path in (tmp_path / "run" / "pool" / "settings").iterdir():
        _damaged(path, "truncated")
    make(fake_recipe(source), tmp_path / "run")
    assert pool_rows(tmp_path / "run") == whole
    assert _dataset(tmp_path / "run") == files


def test_a_limit_on_the_size_of_files_ends_with_a_message_and_the_rest_is_kept(source: Path, tmp_path: Path) -> None:
    """Parts of nine rows fit under the limit, the train set does not."""
    config = _written(fake_recipe(source), tmp_path / "fake.toml")
    code, log = _finished(config, tmp_path / "run", limit=10_000)
    assert code == 2, log
    assert "train.parquet: it would be larger than this system allows. Everything written before is intact." in log
    assert "Traceback" not in log
    assert not list(tmp_path.rglob("train.parquet"))
    assert _finished(config, tmp_path / "run")[0] == 0
    assert _calls(tmp_path / "run") == NO_CALLS
    assert _finished(config, tmp_path / "whole")[0] == 0
    assert _dataset(tmp_path / "run") == _dataset(tmp_path / "whole")


def test_a_disk_that_is_full_ends_with_a_message_and_the_rest_is_kept(source: Path, tmp_path: Path) -> None:
    """A file system of 96 KiB of its own, in a namespace of its own, copied out before it goes."""
    (tmp_path / "small").mkdir()
    mount = "mount -t tmpfs -o size=96k none small"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("this system lets no user mount a file system of their own")
    config = _written(fake_recipe(source), tmp_path / "fake.toml")
    code = (
        "import evolve.pool.table, evolve.cli.program; evolve.pool.table.ROWS_PER_PART = 9; "
        f"import sys; sys.argv = ['evolve', 'run', {str(config)!r}, '--run', 'small/run']; evolve.cli.program.main()"
    )
    script = f'{mount} && "$1" -c "$2"; code=$?; cp -r small/run kept; exit $code'
    full = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )
    assert full.returncode == 2, full.stderr
    assert "the disk is full. Everything written before is intact. Free some space" in full.stderr
    assert "Traceback" not in full.stderr
    kept = made_so_far(tmp_path / "kept")
    assert kept["rewrite"] + kept["sample"] > 0
    made = make(fake_recipe(source, policy__engine={"delay": 0.0}), tmp_path / "kept")
    whole = make(fake_recipe(source, policy__engine={"delay": 0.0}), tmp_path / "whole")
    assert made.calls == {name: whole.calls[name] - kept[name] for name in kept}
    assert _dataset(tmp_path / "kept") == _dataset(tmp_path / "whole")


def test_a_second_process_on_a_run_is_refused_and_the_first_goes_on(source: Path, tmp_path: Path) -> None:
    config = _written(fake_recipe(source, policy__in_flight=2, policy__engine={"delay": 0.02}), tmp_path / "fake.toml")
    first = _started(config, tmp_path / "run")
    while not list((tmp_path / "run" / "pool").glob("responses/*.parquet")):
        assert first.is_alive()
        time.sleep(0.01)
    shutil.copy(config, tmp_path / "second.toml")
    log = tmp_path / "second.log"
    second = multiprocessing.get_context("forkserver").Process(
        target=_command, args=(str(tmp_path / "second.toml"), str(tmp_path / "run"), 9, 0, str(log))
    )
    second.start()
    second.join()
    assert second.exitcode == 2
    assert f"is in use by another process (process {first.pid} on" in log.read_text()
    first.join()
    assert first.exitcode == 0
    assert _finished(config, tmp_path / "whole")[0] == 0
    assert pool_rows(tmp_path / "run") == pool_rows(tmp_path / "whole")
