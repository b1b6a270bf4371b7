"""Seeded inputs at the doors of the command line, recipes and --set: none shows a traceback.

EVOLVE_FUZZ is how many (a few hundred by default), EVOLVE_FUZZ_SEED where they begin.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from unicodedata import category

import pytest

from evolve.cli.program import main
from evolve.recipe.loading import keys_of
from evolve.recipe.sections import Recipe
from fake_runs import prompt, write_source

N = int(os.environ.get("EVOLVE_FUZZ", "300"))
SEED = int(os.environ.get("EVOLVE_FUZZ_SEED", "0"))
RECIPE = (
    '[prompts]\nsource = "./prompts.jsonl"\n[policy]\nmodel = "fake"\n[reward]\nmodel = "fake"\n'
    '[evolve]\nstrategies = ["deepen"]\n[sampling]\nn = 2\n'
)
TEXTS = [
    *(
        "",
        " ",
        ".",
        "..",
        "/",
        "~",
        "~nosuchuser/x",
        "./",
        "../x",
        "-",
        "--",
        "-x",
        "=",
        "a=b",
        "fake",
        "fake:1",
        "é",
        "日本",
    ),
    *(
        "\x1b[31m",
        "a\nb",
        "a\tb",
        "\ufeff",
        "\udc80",
        "\u202e",
        "a" * 300,
        "./" + "é" * 200,
        "x/" * 3000,
        "mine",
        "./runs",
    ),
    *("nan", "-inf", "1e308", "-0", "0x10", "1" * 5000, "9" * 25, "3000000000", "-1", "0", "1_0", "20%", "101%", "%"),
    *(
        "[" * 5000,
        "{" * 50,
        "{a={a={a={a=1}}}}",
        "[[1],[2]]",
        "1979-05-27",
        "07:32:00",
        "true",
        '"""',
        "'",
        '"\\u0000"',
    ),
    *(
        "{hf_token='x'}",
        "http://a:b@c",
        "openai:x",
        "1\nx = 2",
        "{x = 1979-05-27}",
        "[1979-05-27]",
        "{x = nan}",
        "[]",
        "{}",
    ),
]
KEYS = [
    f"{section}.{key}"
    for section in ("prompts", "policy", "reward", "evolve", "sampling", "selection")
    for key in keys_of(keys_of(Recipe)[section].annotation)
]  # type: ignore[arg-type]
KEYS += [
    "name",
    "algorithm",
    "policy.engine.x",
    "policy.engine.x.y",
    "x",
    "",
    ".",
    "..",
    "a" * 400,
    "." * 50,
    "policy",
    "é\x1b",
]
OPTIONS = ["--run", "--iter", "--algo", "--metric", "--alpha", "--k", "--policy", "--to", "--test", "--out", "--reward",
           "--dtype", "--batch-tokens", "--force", "--compat", "--verbose", "--help"]  # fmt: skip
COMMANDS = ["run", "select", "check", "status", "export", "annotate", "score", ""]

Evolve = Callable[[list[str]], tuple[int, str, str]]


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Evolve:
    """The command in this process, in a folder with a recipe and a finished run: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    write_source(tmp_path / "prompts.jsonl", [prompt(i) for i in range(4)])
    (tmp_path / "mine.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "lines.jsonl").write_text('{"prompt": "a", "response": "b"}\n', encoding="utf-8")

    def call(arguments: list[str]) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evolve", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    assert call(["run", "mine.toml"])[0] == 0
    return call


def _arguments(rng: random.Random) -> list[str]:
    """A command that is nearly right: one to three things of it are not."""
    command = rng.choice(COMMANDS)
    right = {
        "run": ["mine.toml"],
        "select": ["mine"],
        "check": ["mine.toml"],
        "status": ["mine"],
        "export": ["mine", "--to", rng.choice(["trl", "kto", "llamafactory", "responses"]), "--out", "./out"],
        "annotate": ["mine"],
        "score": ["lines.jsonl", "--reward", "fake", "--out", "./scores.jsonl"],
    }
    arguments = [command, *right.get(command, [])]
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if kind < 0.5 and command in ("run", "select", "check"):
            arguments += ["--set", f"{rng.choice(KEYS)}={_text(rng)}"]
        elif kind < 0.7:
            arguments += [rng.choice(OPTIONS), _text(rng)]
        elif kind < 0.9 and len(arguments) > 1:
            arguments[rng.randrange(1, len(arguments))] = _text(rng)
        else:
            arguments.insert(rng.randrange(len(arguments)), rng.choice(OPTIONS))
    return arguments


def _text(rng: random.Random) -> str:
    one = rng.choice(TEXTS)
    return one if rng.random() < 0.8 else one[: rng.randrange(1, 9)] + rng.choice(TEXTS)


def _recipe(rng: random.Random) -> bytes:
    """The bytes of a recipe with some of them changed, or with a line of a key and anything."""
    data = bytearray(RECIPE.encode())
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        what = rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x1b", b"[", b'"', b"=", b"\n", b"\xc3", b"9" * 30])
        line = f"\n{rng.choice(KEYS)} = {_text(rng)}\n".encode("utf-8", "surrogatepass")
        data[at : at + rng.randrange(4)] = rng.choice([what, line])
    return bytes(data)


def _check(code: int, out: str, err: str, arguments: list[str]) -> None:
    what = [one if len(one) < 120 else f"{one[:100]}... ({len(one)})" for one in arguments]
    assert code in (0, 1, 2), what
    for said in (out, err):
        assert "Traceback" not in said, (what, said[-600:])
        assert not [char for char in said if category(char) == "Cc" and char not in "\n\t"], (what, said)
        assert not set(said) & set("\u202e\u2066\u2028\udc80"), (what, said)


def test_no_command_line_shows_a_traceback(evolve: Evolve) -> None:
    for seed in range(SEED, SEED + N):
        arguments = _arguments(random.Random(seed))
        # vLLM, which the default recipe starts, and the Hub are other doors; a sleep is no fault
        is_default = arguments[:1] == ["run"] and arguments[1:2] != ["mine.toml"]
        if is_default or any("in_flight" in one or "--follow" in one for one in arguments):
            continue
        _check(*evolve(arguments), arguments)


def test_no_recipe_shows_a_traceback(evolve: Evolve, tmp_path: Path) -> None:
    for seed in range(SEED, SEED + N):
        data = _recipe(random.Random(seed))
        (tmp_path / "bad.toml").write_bytes(data)
        _check(*evolve(["check", "./bad.toml"]), [repr(data)])


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        *((which, damage) for which in ("recipe", "template") for damage in ("folder", "unreadable", "latin-1")),
        ("templates", "unreadable"),
    ],
)
def test_files_that_can_not_be_read(evolve: Evolve, tmp_path: Path, which: str, damage: str) -> None:
    templates = tmp_path / "own"
    templates.mkdir()
    path = {"recipe": tmp_path / "bad.toml", "template": templates / "deepen.txt", "templates": templates}[which]
    if damage == "unreadable" and os.geteuid() == 0:
        pytest.skip("nothing is unreadable to root")
    if damage == "folder":
        path.mkdir()
    elif which != "templates":
        path.write_bytes(b"\xe9\xff {prompt}")
    if damage == "unreadable":
        path.chmod(0)
    recipe = "./bad.toml" if which == "recipe" else "mine.toml"
    code, out, err = evolve(["run", recipe, "--set", "evolve.templates=./own"])
    assert code == 2
    _check(code, out, err, [which, damage])


@pytest.mark.parametrize(
    "setting",
    [
        "sampling.n=" + "1" * 5_000,
        "sampling.n=" + "[" * 5_000,
        "sampling.n=" + "1" * 25,
        "selection.k=" + "9" * 4_000,
        "policy.engine={x = 1979-05-27}",
        "policy.model=a\0b",
        "prompts.source=" + "a" * 300,
        "policy.model=~nosuchuser/x",
        "selection.alpha=1e308",
        "sampling.seed=" + "9" * 30,
        ".".join("a" * 3_000) + "=1",
    ],
    ids=lambda value: value[:30].replace("\0", "NUL"),
)
def test_what_once_did(evolve: Evolve, setting: str) -> None:
    code, out, err = evolve(["run", "mine.toml", "--set", setting])
    assert code == 2
    assert len(err) < 2_000
    _check(code, out, err, [setting])
