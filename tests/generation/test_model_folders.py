"""What is taken for a model and is none: one sentence each, with the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rewards
from generation import load_chat
from generation.checkpoint import check_config, read_json, resolve
from prompts.errors import UserError
from tiny_policy import policy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return policy(tmp_path / "model")


def write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data))


def test_an_adapter_alone_is_named_with_its_base(tmp_path: Path) -> None:
    write(tmp_path / "adapter_config.json", {"base_model_name_or_path": "owner/base", "peft_type": "LORA"})
    for load in (resolve, rewards.load, rewards.context):
        with pytest.raises(UserError, match=r"adapter \(LoRA\) of 'owner/base'.*merge it into its base"):
            load(str(tmp_path))


def test_an_adapter_beside_a_model_is_not_guessed_at(folder: Path) -> None:
    write(folder / "adapter_config.json", {"base_model_name_or_path": "owner/base"})
    with pytest.raises(UserError, match="beside a whole model, and which of them is meant"):
        resolve(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_a_git_lfs_pointer_is_called_so(name: str, folder: Path) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n")
    with pytest.raises(UserError, match=rf"{name}: a git-lfs pointer.*git lfs pull"):
        resolve(str(folder))


@pytest.mark.parametrize("name", ["chat_template.jinja", "config.json", "model.safetensors"])
def test_a_folder_or_a_dangling_link_in_the_place_of_a_file(name: str, folder: Path) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    with pytest.raises(UserError, match=f"{name}: a folder"):
        resolve(str(folder))
    (folder / name).rmdir()
    (folder / name).symlink_to("nowhere")
    with pytest.raises(UserError, match="link to nothing"):
        resolve(str(folder))


@pytest.mark.parametrize("model", ["/", "", ".", "~nosuchuser/model", "a" * 300, "o/" + "a" * 300, "a\0b", "/nowhere"])
def test_a_name_that_is_no_model(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for load in (rewards.load, rewards.context):
        with pytest.raises(UserError) as caught:
            load(model)
        assert len(str(caught.value)) < 1_200


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ messages[0].content.a.b }}",
        "{{ messages[9].content }}",
        "{% if %}",
        "{% for i in range(1000000000) %}{% endfor %}",
    ],
)
def test_a_template_that_fails_on_everything_is_told_before_work(template: str, folder: Path) -> None:
    config = read_json(folder, "tokenizer_config.json")
    write(folder / "tokenizer_config.json", config | {"chat_template": template})
    with pytest.raises(UserError, match="the chat template takes no conversation"):
        load_chat(folder)


@pytest.mark.parametrize("value", ["64", -1, 0, True, 1.5, [], {}, 10**12])
def test_a_size_that_is_none_is_named(value: object, folder: Path) -> None:
    write(folder / "config.json", read_json(folder, "config.json") | {"hidden_size": value})
    with pytest.raises(UserError, match=r"config\.json: hidden_size is .*expected a number"):
        check_config(folder)
