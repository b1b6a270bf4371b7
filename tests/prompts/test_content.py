"""How much of a prompt a rewrite keeps, worked by hand, and what counts as a request."""

from __future__ import annotations

import pytest

from prompts import STRATEGIES, Prompt
from prompts.content import content_kept, content_of, is_request

TABLE = "Which city grew most?\n\ncity,2010,2020\nOslo,586,697\nBergen,256,285\nTurku,177,194"
CODE = "Find the bug.\n\ndef area(width, height):\n    return width + height"


@pytest.mark.parametrize(
    ("parent", "rewrite", "share"),
    [
        ("Why is the sky blue?", "Why is the sky blue at noon and red at dusk?", 1.0),
        ("Why is the sky blue?", "Why is grass green?", 0.0),
        ("Why is the sky blue?", "A sky.", 1 / 2),
        ("Compare cats and dogs.", "Comparing a cat with a dog, who sleeps more?", 1.0),  # forms of compare, cat, dog
        ("Multiply 6 by 9.", "Multiply 6 by 7.", 3 / 5),  # a number is two
        ("What is it?", "What is it to you?", 1.0),  # no other words than of grammar: these
        ("🍕🍔", "🍕?", 1 / 2),
        ("...", "!", 0.0),
        ("", "Anything", 1.0),
        ("天空蓝", "为什么天空是灰的？", 2 / 3),
        ("수도는 어디?", "수도가 어디인지 말해 줘", 1.0),
        ("ม้าดี", "ม้าไม่ดี", 1.0),
        ("ม้าดี", "มา", 1 / 3),
    ],
)
def test_share_of_the_content(parent: str, rewrite: str, share: float) -> None:
    assert content_kept(parent, rewrite) == pytest.approx(share)


@pytest.mark.parametrize("long", [TABLE, CODE])
def test_a_rewrite_without_the_input_has_lost_most(long: str) -> None:
    asked = long.partition("\n")[0]
    assert content_kept(long, f"{asked} Explain each step.") < 0.4
    assert content_kept(long, f"{long}\n\nExplain each step.") == 1.0


def test_only_strategies_that_ask_to_keep_the_content_are_measured() -> None:
    parent = Prompt([{"role": "user", "content": "Why is the sky blue?"}])
    measured = {name: content_of(parent, parent.with_instruction("No.", name)) for name in (*STRATEGIES, "own")}
    assert measured == dict.fromkeys(STRATEGIES, 0.0) | {"breadth": None, "own": None}


@pytest.mark.parametrize(
    "text",
    [
        "why is the sky blue",
        "Here is my poem about the sea. Make the rhythm of it better.",
        "I have an essay to write, and I need the first line of it.",
        "You are the captain of a ship. A storm is on its way.",
        "It was the best of times. Could you say who wrote that?",
        "1. First, describe the house in the picture.",
        "The list is: a, b and c; then sort it.",
        "In a world without rain, write the diary of a farmer.",
        "You can use a calculator for this. Solve x + 3 = 4 and show the steps to me.",
        "To be or not to be, you can say: who wrote that, and when was it?",
        "Q: What is the name of the river?\nA:",
        "SELECT name FROM users WHERE id = 3",
        "3 + 4 * 12 =",
        "请给我讲一个关于月亮的故事",
        "Расскажи мне сказку о рыбаке и рыбке",
        "🍕🍔🍟",
        "hello",
        "",
    ],
)
def test_what_is_or_may_be_a_request(text: str) -> None:
    assert is_request(text)


@pytest.mark.parametrize(
    "text",
    [
        "The sky is blue because of the way in which the air scatters the light of the sun.",
        "I'm excited to be here and to talk to you about the mind of a child.",
        "He bought headphones to listen to music on his phone.",
        "This is the end of it.",
        "To do so, you need to find the best of the many formats and use it.",
        "You can use the library to make a table, and write it to a file.",
        "A: It is one of the languages of the world.",
        "It is a step for the health of all, with new practices and research methods of its own.",
        "With it, a user can make an account, calculate the value of it, and then some.",
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_request(text)
