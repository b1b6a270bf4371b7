"""What is pushed says nothing of the machine that made it: neither paths, nor addresses, nor secrets."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from evolve.exports.hub.layout import layout_of
from evolve.exports.hub.public import public
from fake_runs import Made, fake_recipe, make, prompt, write_source
from places import ROOT


def text_of(content: bytes | Path) -> str:
    return (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", "replace")


def test_no_file_that_goes_up_has_a_path_of_this_machine(tmp_path: Path) -> None:
    templates = tmp_path / "deep" / "wording"
    templates.mkdir(parents=True)
    (templates / "deepen.txt").write_text("Make this harder: {prompt}\n#Rewritten Prompt#:")
    source = write_source(tmp_path / "deep" / "asked.jsonl", [prompt(i) for i in range(6)])
    recipe = fake_recipe(
        source,
        evolve__templates=str(templates),
        evolve__strategies=["deepen"],
        policy__system_prompt="/no_think Be brief, as /usr/share/dict is.",
    )
    made = make(recipe, tmp_path / "run")
    assert str(tmp_path) in (made.folder / "manifest.json").read_text()  # a path that was there would be seen
    assert str(tmp_path) in (made.folder / "README.md").read_text()
    with layout_of(made.folder, "someone/pairs", "") as layout:
        for file in layout.files:
            for hidden in (tmp_path, ROOT, Path.home()):
                assert str(hidden).rstrip("/") + "/" not in text_of(file.content), file.path
        said = layout.manifest
        assert said["recipe"]["prompts"]["source"] == "asked.jsonl"
        assert said["recipe"]["evolve"]["templates"] == "wording"
        assert said["recipe"]["policy"]["system_prompt"] == "/no_think Be brief, as /usr/share/dict is."
        assert "prompts: `asked.jsonl`" in text_of(layout.files[0].content)


def test_what_is_of_the_machine_alone_is_left_out_and_the_rest_stays(made: Made) -> None:
    before = copy.deepcopy(made.manifest)
    said = public(made.manifest)
    assert made.manifest == before
    assert set(before) - set(said) == {"model_calls", "memory_mib", "stages"}
    for key in set(said) - {"recipe", "sampler", "rewards"}:
        assert said[key] == before[key]
    assert said["recipe"]["sampling"] == before["recipe"]["sampling"]
    assert [reward["id"] for reward in said["rewards"]] == [reward["id"] for reward in before["rewards"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/data/models/llama", "llama"),
        ("/data/models/llama/", "llama"),
        ("/data/my models/llama 3", "llama 3"),
        ("~/models/llama", "llama"),
        ("./llama", "llama"),
        ("../../llama", "llama"),
        ("..", "folder"),
        ("~", "folder"),
        ("/", "folder"),
        ("~someone", "folder"),
        ("file:///data/llama", "llama"),
        ("C:\\models\\llama", "llama"),
        ("openai:/data/models/llama", "openai:llama"),
        ("openai:gpt-4o", "openai:gpt-4o"),
        ("openai:Qwen/Qwen2.5-7B-Instruct", "openai:Qwen/Qwen2.5-7B-Instruct"),
        ("Qwen/Qwen2.5-7B-Instruct@" + "a" * 40, "Qwen/Qwen2.5-7B-Instruct@" + "a" * 40),
        ("fake", "fake"),
        ("fake:7", "fake:7"),
    ],
)
def test_a_model_is_called_by_its_name(given: str, said: str) -> None:
    for manifest in ({"recipe": {"policy": {"model": given}}}, {"sampler": {"policy": given}}, {"source": given}):
        assert list(_values(public(manifest))) == [said]


def test_models_that_end_alike_stay_apart(made: Made) -> None:
    ensemble = {"/a/model": 0.5, "/b/model": 0.25, "/a/other": 0.125, "OWNER/model": 1.0}
    said = public({"ensemble": ensemble, "rewards": [{"reward": name} for name in ensemble]})
    assert said["ensemble"] == {"model": 0.5, "model (2)": 0.25, "other": 0.125, "OWNER/model": 1.0}
    assert [one["reward"] for one in said["rewards"]] == list(said["ensemble"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--cache=/home/someone/cache/x", "--cache=x"),
        ("read from /home/someone/data.json, then", "read from data.json, then"),
        ("file:///home/someone/data.json", "data.json"),
        ("at ~/data", "at data"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("Qwen/Qwen2.5 and a/b/c", "Qwen/Qwen2.5 and a/b/c"),
        ("</think> and/or 1/2 /no_think", "</think> and/or 1/2 /no_think"),
        ("https://me:word@example.org/x", "https://***@example.org/x"),
        ("hf_" + "a" * 30, "***"),
    ],
)
def test_paths_and_secrets_within_other_settings(given: str, said: str) -> None:
    assert public({"engine": {"an_option": [given]}}) == {"engine": {"an_option": [said]}}


def test_the_address_of_a_server_stays_here() -> None:
    manifest: dict[str, Any] = {"recipe": {"reward": {"base_url": "http://10.0.0.7:8000/v1", "model": "openai:x"}}}
    assert public(manifest) == {"recipe": {"reward": {"base_url": None, "model": "openai:x"}}}
    assert "10.0.0.7" not in json.dumps(public({"rewards": [{"base_url": "http://10.0.0.7/v1"}]}))


def _values(value: Any) -> Any:
    if isinstance(value, dict):
        for item in value.values():
            yield from _values(item)
    else:
        yield value
