"""The environment of every test, set before anything loads torch or vLLM, and the real data beside the checkout."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from judge_server import serve  # noqa: F401
from places import SHARED

if TYPE_CHECKING:
    from fake_runs import Made
    from grown_runs import Grown

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # nothing in a test is downloaded
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one child process of the engine fewer
    "TORCH_COMPILE_DISABLE": "1",  # else the first log-probabilities wait for a C++ compiler
    "OMP_WAIT_POLICY": "passive",  # a busy machine must not slow the tests out of proportion
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TOKENIZERS_PARALLELISM": "false",
}
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)


MEMORY = Path("/dev/shm")
NEEDED = 2 << 30  # bytes that all tests together may write


def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders lie in memory where there is room: thousands of syncs to a busy disk take minutes, and prove no
    more.
    """
    if config.option.basetemp is None and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED:
        config.option.basetemp = tempfile.mkdtemp(prefix="evolve-select-tests-", dir=MEMORY)
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def _present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"real data is absent: {path}")
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout; tests that need it are skipped where it is absent."""
    return _present(SHARED)


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """1,000 rows of UltraFeedback-binarized as JSON lines (prompt, chosen, rejected, scores)."""
    return _present(shared / "data" / "ultrafeedback-1000.jsonl")


@pytest.fixture(scope="session")
def stories_policy(shared: Path) -> Path:
    """A real trained Llama of 260,000 parameters that vLLM loads on a CPU. It tells stories, whatever it is asked."""
    return _present(shared / "models" / "stories260k")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of prompts that `made` was made from."""
    from fake_runs import SOME_LEAVE, write_source

    return write_source(tmp_path_factory.mktemp("source") / "prompts.jsonl", SOME_LEAVE)


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run by the paper's algorithm and metric. Tests make further views of it, none of which may touch its rows."""
    from fake_runs import make, some_leave

    return make(some_leave(source), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """A small dataset of the embedded models, sampled and scored on the real engine."""
    from grown_runs import grow_small

    return grow_small(tmp_path_factory.mktemp("grown"))
