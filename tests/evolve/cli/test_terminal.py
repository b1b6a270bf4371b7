"""What reaches the terminal: no escape sequence of anyone's text, in any encoding, and a parting word on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evolve.cli.terminal import is_no_interruption
from fake_runs import prompt, write_source

CODE = "import sys; from evolve.cli.program import main; sys.argv[0] = 'evolve'; main()"
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def _evolve(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, env=os.environ | environment)


def _recipe(folder: Path, delay: float = 0, n: int = 6) -> None:
    prompts = [f"{EVIL} é 日本 {prompt(i)} {EVIL}" for i in range(n)]
    write_source(folder / "prompts.jsonl", prompts)
    text = '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n'
    text += f"engine = {{delay = {delay}}}\n" if delay else ""
    (folder / "mine.toml").write_text(text + '[reward]\nmodel = "fake"\n', encoding="utf-8")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_text_of_prompts_neither_acts_nor_ends_a_command_after_its_work(tmp_path: Path, encoding: str) -> None:
    _recipe(tmp_path)
    for arguments in (["run", "mine.toml"], ["status", "mine"], ["select", "mine", "--metric", "eva"]):
        done = _evolve(tmp_path, *arguments, PYTHONIOENCODING=f"{encoding}:strict", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        for stream in (done.stdout, done.stderr):
            text = stream.decode(encoding)
            assert all(char.isprintable() or char in "\n\t" for char in text)
    assert rb"\x1b]0;owned\x07" in _evolve(tmp_path, "run", "mine.toml").stdout


def test_errors_and_json_show_control_characters(tmp_path: Path) -> None:
    _recipe(tmp_path)
    for arguments in (["status", EVIL], ["run", EVIL], ["check", "mine.toml", "--set", f"a{EVIL}.b=1"]):
        done = _evolve(tmp_path, *arguments)
        assert done.returncode == 2
        assert b"\x1b" not in done.stderr
        assert rb"\x1b" in done.stderr
    done = _evolve(tmp_path, "check", "mine.toml", "--set", 'policy.system_prompt="\\u001b[2J\\u007f\\u009b é"')
    assert not set(done.stdout) & {0x1B, 0x7F}
    assert json.loads(done.stdout)["policy"]["system_prompt"] == "\x1b[2J\x7f\x9b é"


def test_secrets_are_not_told(tmp_path: Path) -> None:
    _recipe(tmp_path)
    for setting in (
        'policy.engine={hf_token = "hunter2"}',
        "policy.engine.api_key=hunter2",
        "reward.base_url=http://me:hunter2@host/v1",
        "prompts.source=https://me:hunter2@host/file.jsonl",
        'reward.ensemble={"http://me:hunter2@host" = 1}',
        'policy.system_prompt="say hf_hunter2abcdefghijklmn"',
        'reward.model="http://me:hunter2@host", x = 1',
    ):
        done = _evolve(tmp_path, "run", "mine.toml", "--set", setting)
        assert done.returncode == 2
        assert b"hunter2" not in done.stderr + done.stdout
        assert b"environment" in done.stderr
    openai = {"OPENAI_BASE_URL": "http://me:hunter2@host/v1", "OPENAI_API_KEY": "x"}
    done = _evolve(tmp_path, "run", "mine.toml", "--set", "reward.model=openai:judge", **openai)
    assert done.returncode == 2
    assert b"hunter2" not in done.stderr
    assert not (tmp_path / "runs").exists() or b"hunter2" not in b"".join(
        path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()
    )


def test_a_task_that_an_interruption_comes_upon_logs_no_traceback() -> None:
    """As it does, now and then, in a job in the background, for which asyncio has no handler of its own."""

    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        await asyncio.wait([asyncio.ensure_future(interrupted())])

    said, log = {True: io.StringIO(), False: io.StringIO()}, logging.getLogger("asyncio")
    for filtered, stream in said.items():
        handler = logging.StreamHandler(stream)
        if filtered:
            handler.addFilter(is_no_interruption)
        log.addHandler(handler)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())
        gc.collect()
        log.removeHandler(handler)
    assert "never retrieved" in said[False].getvalue()
    assert said[True].getvalue() == ""


@pytest.mark.parametrize("ignored", [False, True], ids=["", "a job in the background"])
def test_sigterm_says_its_parting_word(tmp_path: Path, ignored: bool) -> None:
    _recipe(tmp_path, delay=0.2, n=200)
    how = "SIG_IGN" if ignored else "default_int_handler"  # a job in the background inherits an ignored SIGINT
    code = f"import signal; signal.signal(signal.SIGINT, signal.{how}); {CODE}"
    command = [sys.executable, "-c", code, "run", "mine.toml", "--set", "policy.in_flight=4"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("runs/mine/pool/responses/*/*.parquet")):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"evolve: terminated. What was finished is in the pool" in err
    assert b"Traceback" not in err
