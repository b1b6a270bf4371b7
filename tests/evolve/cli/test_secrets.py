"""No secret is told: not by errors of recipes, paths or usage, whatever door it came in by."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolve.cli.program import main
from evolve.cli.terminal import Formatter
from evolve.pool.json_files import read_json, write_json
from fake_runs import prompt, write_source

SECRET = "hunter2"
ADDRESSES = (
    f"http://u:{SECRET}@h",
    f"http://u:p@{SECRET}@h/v1",
    f"https://b.s3.amazonaws.com/k.jsonl?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}",
    f"https://x.blob.core.windows.net/k.jsonl?sv=2020&sig={SECRET}",
    f"https://h/k.jsonl#access_token={SECRET}",
)
Evolve = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Evolve:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")  # a narrow terminal, at whose edge a secret might be cut
    write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(4)])
    text = '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    (tmp_path / "lines.jsonl").write_text('{"prompt": "a", "response": "b"}\n', encoding="utf-8")

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capsys.readouterr()

    return call


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_at_any_door_keeps_its_secrets(evolve: Evolve, address: str, tmp_path: Path) -> None:
    for arguments in (
        ["score", address, "--reward", "fake", "--out", "x.jsonl"],
        ["score", "lines.jsonl", "--reward", address, "--out", "x.jsonl"],
        ["score", "lines.jsonl", "--reward", "fake", "--out", f"./mine.toml/{address}"],
        ["annotate", address],
        ["status", address],
        ["select", address],
        ["export", address, "--format", "trl", "--out", "x"],
        ["export", "mine", "--format", address, "--out", "x"],
        ["run", address],
        ["run", "mine.toml", "--run", f"./mine.toml/{address}"],
        ["run", "mine.toml", "--policy", address],
        ["run", "mine.toml", "--k", address],
        ["run", "mine.toml", "--algo", address],
        ["run", "mine.toml", "--alpha", address],
        ["run", "mine.toml", "--set", address],
        ["run", "mine.toml", address],
        ["run", "mine.toml", f"--{address}"],
        [address],
        *(["run", "mine.toml", "--set", f"{key}={address}"] for key in ("policy.engine.quantization", "reward.dtype")),
        *(["run", "mine.toml", "--set", f"{key}={address}"] for key in ("prompts.source", "sampling.n", "policy", "x")),
        ["run", "mine.toml", "--set", f"policy.engine.{address}=1"],
    ):
        code, out, err = evolve(*arguments)
        assert code == 2, arguments
        assert err, arguments
        assert SECRET not in out + "".join(err.split()), arguments
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "setting",
    [
        f"policy.engine.quantization=['{SECRET}']",
        f"policy.engine.distributed_executor_backend={SECRET}",
        f"policy.engine.tensor_parallel_size={SECRET}",
        f"policy.engine.unheard_of={SECRET}",
        f"policy.engine={SECRET}",
        f"policy={SECRET}",
        f"sampling.n={SECRET}",
        f"selection.metric={SECRET}",
        f"selection.k={SECRET}",
        f"policy.template_date={SECRET}",
        f"reward.ensemble={SECRET}",
        f"reward.ensemble.fake={SECRET}",
        f"evolve.strategies={SECRET}",
        f"policy.chat_template_kwargs={SECRET}",
        f"unheard_of={SECRET}",
        f"name=a {SECRET}",
        f"reward.api_key:{SECRET}",
        f"{{'api_key': '{SECRET}'}}",
    ],
)
def test_a_refused_setting_is_told_by_its_key_and_what_was_expected(evolve: Evolve, setting: str) -> None:
    code, out, err = evolve("run", "mine.toml", "--set", setting)
    assert (code, out) == (2, "")
    assert SECRET not in err
    key = setting.partition("=")[0]
    assert any(word in err for word in ("expected", "Expected", "should", "may be set"))
    assert key not in ("sampling.n", "selection.k") or key in err


def test_numbers_and_known_words_are_shown(evolve: Evolve) -> None:
    for setting, told in {
        "sampling.n=1": "found 1",
        "selection.k='120%'": "found '120%'",
        "policy.engine.enforce_eager=3": "is 3: expected true or false",
        "selection.metric=all": "found 'all'",
    }.items():
        assert told in evolve("run", "mine.toml", "--set", setting)[2]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_recipe_takes_none_and_a_log_tells_none(evolve: Evolve, address: str) -> None:
    code, _, err = evolve("check", "mine.toml", "--set", f"policy.system_prompt=see {address}")
    assert code == 2
    assert "policy.system_prompt: credentials" in err
    record = logging.LogRecord("evolve", logging.INFO, "x.py", 1, "asked %s", (address,), None)
    assert SECRET not in Formatter("%(message)s").format(record)


def test_a_dataset_tells_none_that_was_kept_with_a_model(evolve: Evolve, tmp_path: Path) -> None:
    """What describes a sampler is stored by the pool, whoever wrote it."""
    assert evolve("run", "mine.toml")[0] == 0
    (path,) = tmp_path.glob("runs/mine/pool/settings/sampler-*.json")
    described = read_json(path)
    write_json(path, described | {"server": ADDRESSES[0], "auth": {"hf_token": SECRET}})
    assert evolve("select", "mine", "--metric", "eva")[0] == 0
    (folder,) = tmp_path.glob("runs/mine/iteration-1/*/eva-*")
    for name in ("manifest.json", "README.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert SECRET not in text
        assert "hf_token" not in text or "***" in text
    assert read_json(folder / "manifest.json")["sampler"]["server"] == "http://***@h"
    assert read_json(folder / "manifest.json")["stages"]
