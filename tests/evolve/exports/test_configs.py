"""Configurations beside the data: valid, with the paper's hyperparameters, the user's paths, and never in place of a
file of anyone else's.
"""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolve.exports.export import export
from evolve.exports.forms import FORMS
from evolve.exports.paper import training
from evolve.exports.setup import Setup
from fake_runs import fake_recipe, make, prompt, write_source
from prompts.errors import UserError
from templated_runs import view

ODD = 'it\'s a "model" $HOME `x` {y} #1 caf\u00e9 \U0001f600 \x7f'
SIDES = ("dataset", "test")


def setup(tmp_path: Path, **changes: Any) -> Setup:
    dpo, simpo = training("Llama", "ArmoRM", 1)
    given: dict[str, Any] = {"data": tmp_path / ODD / "train.jsonl", "test": tmp_path / ODD / "test.jsonl"}
    given |= {"n_pairs": 10_000, "policy": ODD, "dpo": dpo, "simpo": simpo, "max_length": 2048, "notes": ("a note",)}
    return Setup(**given | changes)


def constants(source: str) -> dict[str, Any]:
    """What a program assigns to names, and gives by name in calls, as far as it is written out."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(source)):
        pairs: list[tuple[str | None, ast.expr]] = []
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            pairs = [(node.target.id, node.value)]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            pairs = [(node.targets[0].id, node.value)]
        elif isinstance(node, ast.Call):
            pairs = [(word.arg, word.value) for word in node.keywords]
        for name, value in pairs:
            try:
                found[str(name)] = ast.literal_eval(value)
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("held_out", [True, False])
def test_what_is_filled_in_is_read_back_to_the_letter(name: str, held_out: bool, tmp_path: Path) -> None:
    given = setup(tmp_path, **({} if held_out else {"test": None}))
    files = [str(given.data)] + ([str(given.test)] if held_out else [])
    for end, text in FORMS[name].configs(given).items():
        assert "# a note\n" in text
        if end.endswith(".py"):
            found = constants(text)
            of_trl = found.get("PRESET", {})
            assert of_trl.get("policy", found.get("POLICY")) == ODD
            filled = found["FILES"].values() if "FILES" in found else [of_trl[one] for one in SIDES if one in of_trl]
            assert list(filled) == files
            assert of_trl.get("output", found.get("output_dir")) == given.output(end.partition(".")[0])
        elif end.endswith(".yaml"):
            read = json.dumps(yaml.safe_load(text), ensure_ascii=False)
            folder = str(given.data.parent)
            named = [folder] if name in ("llamafactory", "kto") else files
            for one in [ODD, *named, given.output(end.partition(".")[0])]:
                assert json.dumps(one, ensure_ascii=False) in read
        else:
            words = arguments(text, tmp_path)
            for one in [ODD, *files, given.output("dpo" if "dpo" in end else "simpo")]:
                hydra = "'" + one.replace("'", "\\'") + "'"
                assert any(hydra in word for word in words) if name == "nemo-rl" else one in words


def arguments(text: str, folder: Path) -> list[str]:
    """What the command of a shell's file is given, by the shell itself."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("swift", "uv", "deepspeed"):
        (programs / name).write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        (programs / name).chmod(0o755)
    (folder / "file.sh").write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["sh", str(folder / "file.sh")], env={"PATH": f"{programs}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    return ran.stdout.decode().split("\0")[:-1]


def test_the_hyperparameters_are_those_of_the_paper(tmp_path: Path) -> None:
    expected = [
        ("google/gemma-2-9b-it", "RLHFlow/ArmoRM-Llama3-8B-v0.1", 1, (5e-7, 0.01), (8e-7, 10, 5)),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "RLHFlow/ArmoRM-Llama3-8B-v0.1", 1, (7e-7, 0.01), (1e-6, 10, 3)),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llm-blender/PairRM", 2, (7e-7, 0.01), (1e-6, 2.5, 1.375)),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "RLHFlow/ArmoRM-Llama3-8B-v0.1", 3, (3e-7, 0.01), (3e-7, 10, 3)),
    ]
    for policy, reward, iteration, of_dpo, of_simpo in expected:
        dpo, simpo = training(policy, reward, iteration)
        assert (dpo.learning_rate, dpo.beta) == of_dpo
        assert (simpo.learning_rate, simpo.beta, simpo.gamma) == of_simpo
    given = setup(tmp_path)
    assert (given.epoch.steps, given.epoch.warmup_steps) == (79, 8)
    scripts = {end: constants(text)["PRESET"] for end, text in FORMS["trl"].configs(given).items()}
    assert (scripts["dpo.py"]["learning_rate"], scripts["dpo.py"]["beta"]) == (7e-7, 0.01)
    asked = {"method": "simpo", "beta": 10.0, "gamma": 3.0, "learning_rate": 1e-6, "batch": 128, "max_length": 2048}
    assert {name: scripts["simpo.py"][name] for name in asked} == asked
    factory = {end: yaml.safe_load(text) for end, text in FORMS["llamafactory"].configs(given).items()}
    asked = {"pref_loss": "simpo", "pref_beta": 10.0, "simpo_gamma": 3.0, "learning_rate": 1e-6, "cutoff_len": 2048}
    assert {name: factory["simpo.yaml"][name] for name in asked} == asked
    axolotl = yaml.safe_load(FORMS["axolotl"].configs(given)["simpo.yaml"])
    asked = {"rl": "simpo", "rl_beta": 10.0, "simpo_gamma": 3.0, "cpo_alpha": 0.0, "skip_prepare_dataset": True}
    assert {name: axolotl[name] for name in asked} == asked
    for name, option in (("swift", "--simpo_gamma 3.0"), ("conversation", "--model.beta 0.01")):
        assert any(option in text for text in FORMS[name].configs(given).values())


LLAMA_3 = "{{ '<|start_header_id|>' }}"
LLAMA_3_1 = LLAMA_3 + r"""{{- "Cutting Knowledge Date: December 2023\n" }}{{- "Today Date: " + date_string }}"""
GEMMA, CHATML = "<start_of_turn>", "<|im_start|>"
QWEN_2_5 = CHATML + "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def test_the_template_of_llamafactory_is_named_only_where_it_is_known(tmp_path: Path) -> None:
    known = {LLAMA_3: "llama3", LLAMA_3_1: "llama3", GEMMA: "gemma2", CHATML: None, QWEN_2_5: None, "": None}
    for text, expected in known.items():
        for form, end in (("llamafactory", "dpo.yaml"), ("kto", "kto.yaml")):
            config = FORMS[form].configs(setup(tmp_path, template=text))[end]
            assert yaml.safe_load(config).get("template") == expected
            assert ("leaves out the dates" in config) == (text == LLAMA_3_1)


def test_model_and_template_of_swift_are_named_where_it_can_not_tell_them(tmp_path: Path) -> None:
    """Llama 3.1, 3.2 and 3.3 write dates into the system turn, which the template llama3 would leave out."""
    known = {
        LLAMA_3: ["llama", "llama3"],
        LLAMA_3_1: ["llama", "llama3_2"],
        QWEN_2_5: ["qwen2", "qwen2_5"],
        GEMMA: None,
        CHATML: None,
        "": None,
    }
    for text, expected in known.items():
        for config in FORMS["swift"].configs(setup(tmp_path, template=text)).values():
            words = arguments(config, tmp_path)
            options = ["--model_type", "--template"]
            named = [words[words.index(option) + 1] for option in options] if options[0] in words else None
            assert named == expected
            assert ("the day of training" in config) == (text == LLAMA_3_1)


def test_configurations_lie_beside_the_data_and_nobody_s_file_is_written_over(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])
    make(fake_recipe(source), tmp_path / "run")
    out = tmp_path / "out" / "pairs.jsonl"
    run = view(tmp_path / "run")
    said = export(run, "trl", out)
    configs = [out.with_name("pairs-dpo.py"), out.with_name("pairs-simpo.py")]
    assert sorted(out.parent.iterdir()) == sorted([out, *configs])
    assert all(str(path) in said for path in configs)
    assert "the fake one" in configs[0].read_text()
    export(run, "trl", out)  # its own: written over
    first = {path: path.read_bytes() for path in out.parent.iterdir()}
    configs[0].write_text(configs[0].read_text() + "mine = 1\n")
    with pytest.raises(UserError, match=r"pairs-dpo\.py is there.*--force"):
        export(run, "trl", out, test=None)
    assert configs[0].read_text().endswith("mine = 1\n")
    assert out.read_bytes() == first[out]
    export(run, "trl", out, force=True)
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == first


def test_a_name_that_a_trainer_reads_otherwise_is_told(tmp_path: Path) -> None:
    source = write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(6)])
    make(fake_recipe(source), tmp_path / "run")
    run = view(tmp_path / "run")
    assert "takes , @ in a path" in export(run, "openrlhf", tmp_path / "a@b,c.jsonl")
    assert "takes [ in a path" in export(run, "trl", tmp_path / "a[b,c.jsonl")
    assert "call it pairs.jsonl" in export(run, "trl", tmp_path / "pairs.txt")
    assert "in a path" not in export(run, "trl", tmp_path / "a@b,c.jsonl", force=True)
