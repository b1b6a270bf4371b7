"""Plain text, the policy's template applied: oumi 0.9 (text_dpo_jsonl) and verl 0.9.1 (RMDataset, add_eos=False), for
trainers that know no chat template. Checked 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Protocol

from prompts import Message

SAID = "\U000f0f0fsaid\U000f0f0f"  # an answer that no template changes and no user types


class Template(Protocol):
    """The chat template of a policy (`ChatTokenizer` is one)."""

    def render(self, messages: list[Message], *, generation_prompt: bool = False) -> str: ...


def rows(pair: dict[str, Any], template: Template, end: str, with_thoughts: bool = False) -> list[dict[str, Any]]:
    """{prompt, chosen, rejected}, texts that put together are the template's. Chosen and rejected end with `end`, the
    end of a turn, once.

    `with_thoughts`: responses carry thoughts, which many templates strip from an answer; they are put behind the
    prompt as they were sampled.
    """
    asked = template.render(pair["prompt"], generation_prompt=True)
    if with_thoughts:
        return [{"prompt": asked} | {name: pair[name][0]["content"] + end for name in ("chosen", "rejected")}]
    both = {name: template.render(pair["prompt"] + pair[name]) for name in ("chosen", "rejected")}
    if not all(text.startswith(asked) for text in both.values()):
        # The template opens thoughts for whoever goes on, and writes none before an answer.
        probe = template.render([*pair["prompt"], {"role": "assistant", "content": SAID}])
        asked = probe.partition(SAID)[0]
    return [{"prompt": asked} | {name: _ended(text.removeprefix(asked), end) for name, text in both.items()}]


def _ended(text: str, end: str) -> str:
    """`text` up to the end of its turn; some templates write a line break after it, some open the next turn instead."""
    before, found, after = text.rpartition(end)
    return before + end if found and not after.strip() else text + end
