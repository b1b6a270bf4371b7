"""`evolve judge` against the real server of vLLM on this machine. Its model is too small to judge: this is about the
wire.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve.recipe.stored import stored_recipe
from evolve.reports.agreement import judged_selections
from fake_runs import Made

pytest.importorskip("openai")
pytestmark = pytest.mark.engine

EMBEDDED = Path(__file__).parents[3] / "recipes" / "embedded" / "policy"
START = 240.0  # seconds that a server may take on a busy machine


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(EMBEDDED),
        "--port",
        str(port),
    ]
    command += ["--host", "127.0.0.1", "--served-model-name", "tiny", "--enforce-eager", "--dtype", "float32"]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


def test_every_question_is_answered(made: Made, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    template = made.run / "question.txt"
    template.write_text("{prompt}\n{first}\n{second}\nAnswer with the line: Verdict: A", encoding="utf-8")
    recipes = [stored_recipe(made.run, 1, {"selection.metric": metric}) for metric in ("map", "eva")]

    def ask() -> dict[str, object]:
        return judged_selections(
            made.run,
            1,
            recipes,
            model="tiny",
            base_url=base_url,
            n=5,
            seed=0,
            template=template,
            max_tokens=24,
            parallel=8,
        )

    found = ask()
    assert found["owed"] == {}
    everything, errors = found["all"], found["errors"]
    assert isinstance(everything, dict)
    assert isinstance(errors, dict)
    assert found["asked_now"] == 2 * everything["pairs"] > 0
    assert sum(errors.values()) <= 2 * (everything["pairs"] - everything["judged"])
    assert set(errors) <= {"no_verdict", "no_answer"}
    assert ask()["asked_now"] == 0
