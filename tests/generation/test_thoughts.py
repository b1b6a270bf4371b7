"""Thoughts and answers of reasoning policies: told apart by the policy's template, whatever its tags are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from generation import Completion, load_chat
from generation.thoughts import KNOWN, tags_of
from tiny_tokenizers import bpe_tokenizer

SPECIALS = ["<|start|>", "<|end|>"]
CHATML = (
    "{% for m in messages %}<|start|>{{ m.role }}\n"
    "{{ m.content.split('CLOSE')[-1] if m.role == 'assistant' else m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\nFIRST{% endif %}"
)
THOUGHT, ANSWER = "\nA fine day?\nThe fox is lazy.\n", "The quick brown fox, for a fine day."


class Policy:
    """A checkpoint's tokenizer, and what vLLM would say of token ids that it sampled."""

    def __init__(self, folder: Path, tags: tuple[str, str], kind: str, first: str = "") -> None:
        self.tokenizer = bpe_tokenizer(SPECIALS)
        if kind != "text":
            self.tokenizer.add_tokens([AddedToken(tag, special=kind == "special", normalized=False) for tag in tags])
        self.tokenizer.save(str(folder / "tokenizer.json"))
        template = CHATML.replace("CLOSE", tags[1]).replace("FIRST", first)
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "chat_template": template}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        self.tags, self.template = tags, template
        self.chat = load_chat(folder, thought_tags=tags)

    def sampled(self, text: str, *, stopped: bool = True) -> Completion:
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        said = self.tokenizer.decode(ids, skip_special_tokens=True)  # as vLLM does
        ids += [self.tokenizer.token_to_id("<|end|>")] * stopped
        logps = tuple(-0.5 - i for i in range(len(ids)))
        return Completion(said, tuple(ids), sum(logps), "stop" if stopped else "length", logps)

    def tokens(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.fixture(params=["added", "special", "text"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("tags", KNOWN)
def test_thoughts_and_answer_are_all_that_was_sampled(tags: tuple[str, str], kind: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path, tags, kind)
    assert tags_of(policy.template) == tags
    whole = f"{tags[0]}{THOUGHT}{tags[1]}\n\n{ANSWER}"
    found = policy.chat.answer(policy.sampled(whole))
    assert found.text == ANSWER
    assert found.thoughts is not None
    assert found.thoughts + found.text == whole
    assert found.thought_tokens == policy.tokens(f"{tags[0]}{THOUGHT}{tags[1]}\n\n")
    assert found.thought_logp == pytest.approx(sum(found.logps[: found.thought_tokens]))
    answer_tokens = found.token_ids[found.thought_tokens : -1]
    assert policy.tokenizer.decode(list(answer_tokens)) == ANSWER


def test_the_template_may_have_opened_the_thoughts(kind: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path, KNOWN[0], kind, first="<think>\n")
    found = policy.chat.answer(policy.sampled(f"{THOUGHT}</think>\n{ANSWER}"))
    assert found.text == ANSWER
    assert found.thoughts == f"{THOUGHT}</think>\n"


def test_thoughts_that_never_end_are_no_answer(kind: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path, KNOWN[0], kind)
    for stopped in (False, True):
        found = policy.chat.answer(policy.sampled(f"<think>{THOUGHT}", stopped=stopped))
        assert (found.text, found.thoughts) == ("", f"<think>{THOUGHT}")
        assert found.thought_tokens == len(found.token_ids)


@pytest.mark.parametrize("text", [ANSWER, "", "A closing </think> alone.", "What is <think> for?"])
def test_an_answer_without_thoughts_stays_as_it_is(text: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path, KNOWN[0], "added")
    sampled = policy.sampled(text)
    assert policy.chat.answer(sampled) is sampled


def test_thoughts_that_the_template_has_closed_are_none(tmp_path: Path) -> None:
    """As Qwen's does for enable_thinking = false."""
    policy = Policy(tmp_path, KNOWN[0], "added", first="<think>\n\n</think>\n\n")
    sampled = policy.sampled(ANSWER)
    assert policy.chat.answer(sampled) is sampled


def test_an_empty_thought_is_split_off_too(kind: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path, KNOWN[0], kind)
    found = policy.chat.answer(policy.sampled(f"<think>\n\n</think>\n\n{ANSWER}"))
    assert (found.text, found.thoughts) == (ANSWER, "<think>\n\n</think>\n\n")


@pytest.mark.parametrize("template", ["", "{{ messages }}", "<|im_start|>", "think"])
def test_most_templates_know_no_thoughts(template: str) -> None:
    assert tags_of(template) is None


@pytest.mark.parametrize("tags", [["<think>"], ["", "</think>"], ["a", "a"], "<think>", ["a", "b", "c"]])
def test_tags_are_two(tags: Any) -> None:
    from evolve.recipe.sections import Policy as Section

    with pytest.raises(ValueError, match="thought_tags"):
        Section(model="fake", thought_tags=tags)
