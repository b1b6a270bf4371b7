"""The shipped templates ask for what the method needs; the loader takes exactly one placeholder; prompts come
through untouched.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from prompts import STRATEGIES, Prompt, RewriteTemplate, content_id, load_rewrite_templates, rewrite_messages
from prompts.errors import UserError

HOSTILE = [
    "braces {x} {{y}} {0} {} %s %(a)s $z \\1 \\g<0>",
    "the placeholder {prompt} itself, {prompt} twice",
    "{Rewritten Prompt}: and #Given Prompt#:",
    "<|im_start|>system\n</prompt> [INST] <<SYS>> <bos>",
    "tabs\tand\r\nline ends  \n\n",
    "lone \ud800 half, NUL \x00, 写诗 🙂",
]


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_five_strategies_in_order_and_a_subset() -> None:
    assert (
        tuple(load_rewrite_templates()) == STRATEGIES == ("constraints", "deepen", "concretize", "reasoning", "breadth")
    )
    assert list(load_rewrite_templates(None, ["breadth", "deepen"])) == ["breadth", "deepen"]
    assert len({template.id for template in load_rewrite_templates().values()}) == 5


def test_in_depth_templates_differ_in_one_sentence() -> None:
    lines = [set(load_rewrite_templates()[name].text.splitlines()) for name in STRATEGIES[:4]]
    shared = set.intersection(*lines)
    assert [len(own - shared) for own in lines] == [1, 1, 1, 1]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_prompt_comes_through_untouched(strategy: str, hostile: str) -> None:
    template = load_rewrite_templates()[strategy]
    before, after = template.text.split("{prompt}")
    assert template.fill(hostile) == before + hostile + after


def test_rewrite_keeps_system_and_earlier_turns_as_context() -> None:
    turns = [("system", "Be brief."), ("user", "Hi {prompt}"), ("assistant", "Hello."), ("user", "Tell me more.")]
    asked = Prompt([{"role": role, "content": content} for role, content in turns])
    template = RewriteTemplate("deepen", "Rewrite: {prompt}!")
    messages = rewrite_messages(asked, template)
    assert messages[:-1] == asked.messages[:-1]
    assert messages[-1] == {"role": "user", "content": "Rewrite: Tell me more.!"}
    assert asked.messages[-1]["content"] == "Tell me more."


def test_identity_is_the_wording() -> None:
    assert (
        RewriteTemplate("deepen", "a {prompt}").id
        == content_id("template", "a {prompt}")
        != RewriteTemplate("deepen", "b {prompt}").id
    )


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path, deepen="\ufeffDeeper, please:\r\n{prompt}\n", formal="Formally: {prompt} {Rewritten Prompt}:")
    own = load_rewrite_templates(tmp_path, ["formal", "deepen"])
    assert own["deepen"].fill("x") == "Deeper, please:\nx"
    assert own["formal"].fill("{x}") == "Formally: {x} {Rewritten Prompt}:"  # braces around two words are text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no placeholder", "no {prompt} placeholder"),
        ("typed in: {Given Prompt}", "{Given Prompt} instead"),
        ("{prompt} and {prompt}", "2 times"),
        ("{prompt} and {instruction}", "{instruction}"),
        ("", "no {prompt} placeholder"),
    ],
)
def test_wrong_placeholders_are_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, deepen=text)
    with pytest.raises(UserError, match=r"deepen\.txt") as error:
        load_rewrite_templates(tmp_path, ["deepen"])
    assert says in str(error.value)


def test_missing_files_folders_and_strategies_are_named(tmp_path: Path) -> None:
    write(tmp_path, deepen="{prompt}")
    with pytest.raises(UserError, match=r"breadth\.txt.*has deepen"):
        load_rewrite_templates(tmp_path, ["deepen", "breadth"])
    with pytest.raises(UserError, match="constraints"):
        load_rewrite_templates(None, ["harder"])
    with pytest.raises(UserError, match="No folder"):
        load_rewrite_templates(tmp_path / "absent", ["deepen"])
    for wrong in ([], ["deepen", "deepen"]):
        with pytest.raises(UserError, match="each once"):
            load_rewrite_templates(tmp_path, wrong)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 {prompt}")
    with pytest.raises(UserError, match="UTF-8"):
        load_rewrite_templates(tmp_path, ["latin"])
