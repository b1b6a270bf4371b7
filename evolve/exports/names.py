"""By which names ms-swift 4.6.0 and LLaMA-Factory 0.9.5 know a policy and its chat template, by that template's text.

Both have templates of their own. One is named only where it writes what the policy's does.
"""

from __future__ import annotations

LLAMA_3 = "<|start_header_id|>"
DATES = "Cutting Knowledge Date"  # Llama 3.1, 3.2 and 3.3 write two dates into the system turn
SWIFT = ((DATES, "llama", "llama3_2"), (LLAMA_3, "llama", "llama3"), ("You are Qwen, created by", "qwen2", "qwen2_5"))
FACTORY = ((LLAMA_3, "llama3"), ("<start_of_turn>", "gemma2"))


def swift_names(template: str) -> dict[str, str]:
    """ms-swift's options of model and template: it can't tell them of a folder where several of its models have one
    architecture. Those of which just one has (Gemma) it finds, and the names of the Hub it knows.
    """
    found = next(((model, name) for mark, model, name in SWIFT if mark in template), None)
    return {"--model_type": found[0], "--template": found[1]} if found else {}


def swift_notes(template: str) -> list[str]:
    """What differs all the same, in lines."""
    return ["Its template llama3_2 writes the day of training as today's date."] if DATES in template else []


def factory_template(template: str) -> dict[str, str]:
    """LLaMA-Factory's key of a template. Where none is named it reads the tokenizer's."""
    return next(({"template": name} for mark, name in FACTORY if mark in template), {})


def factory_notes(template: str) -> list[str]:
    """What differs all the same, in lines: it has no template for Llama 3.1, 3.2 and 3.3."""
    return ["Its template llama3 leaves out the dates that the policy's writes in front."] if DATES in template else []
