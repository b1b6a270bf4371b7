"""The checkers of the world behind the embedded models judge worked cases."""

from __future__ import annotations

from random import Random

import pytest

from prompts import Message
from recipes.factory.world.instruction import FAMILIES, FLAWS, draw_answer, draw_instruction, read
from recipes.factory.world.judge import judge
from recipes.factory.world.qualities import OBJECTIVE_NAMES, QUALITIES, weights_of


def quality(prompt: str | list[Message], answer: str) -> float:
    verdict = judge([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt, answer)
    assert verdict is not None, f"the world can't read {prompt!r}"
    return verdict.quality


def named(prompt: str, answer: str) -> dict[str, float]:
    verdict = judge([{"role": "user", "content": prompt}], answer)
    assert verdict is not None
    return dict(zip([n.removeprefix("world-") for n in OBJECTIVE_NAMES], verdict.qualities, strict=True))


WORKED = [  # a prompt, a good answer, a worse one
    ("List 3 fruits.", "Apple, pear and plum.", "Apple and pear."),
    ("List 3 fruits.", "Apple, pear and plum.", "Apple, pear and hammer."),
    ("Give me two examples of tools.", "1. Saw\n2. Drill", "1. Saw\n2. Drill\n3. Rake\n4. Axe"),
    ("What is 23 plus 14?", "23 + 14 = 37.", "23 + 14 = 36."),
    ("Calculate 40 minus 5.", "Sure. That makes 35.", "That makes 45."),
    ("Anna has 9 plums and loses 4. How many plums does Anna have now?", "Anna has 5 plums.", "Anna has 13 plums."),
    ("Which is bigger, a cat or a horse?", "A horse is bigger than a cat.", "A cat is bigger than a horse."),
    ("What is the opposite of hot?", "Cold.", "Warm."),
    ("What is another word for big?", "You can say large.", "You can say glad."),
    ("What is the capital of Peru?", "The capital of Peru is Lima.", "It is Oslo."),
    ("Continue the sequence 3, 6, 9, 12 with the next 2.", "Next: 15, 18.", "Next: 14, 16."),
    ("Change to the past tense: Paul runs to the lake.", "Paul ran to the lake.", "Paul runs to the lake."),
    ("Rewrite this politely: Open the door.", "Could you please open the door?", "Open the door now."),
    ("Is this review positive or negative: I love this kite?", "It is positive.", "It is negative."),
    ("Sort these words in alphabetical order: owl, bean, cat.", "bean, cat, owl.", "owl, cat, bean."),
    ("Put in order, smallest first: 40, 12, 33.", "12, 33, 40.", "40, 33, 12."),
    (
        "How many tools are in this list: saw, apple, drill?",
        "There are 2 tools: saw, drill.",
        "There are 3 tools: saw, drill.",
    ),
    (
        "How many tools are in this list: saw, apple, drill?",
        "There are 2 tools: saw, drill.",
        "There are 2 tools: saw, rake.",
    ),
    (
        "Which is smaller, a cat or a horse?",
        "A horse is bigger than a cat, so the answer is a cat.",
        "A horse is bigger than a cat, so the answer is a horse.",
    ),
    ("Which word does not belong: cat, dog, cow, saw?", "Saw does not belong.", "Cow does not belong."),
    (
        "How do I plant a seed?",
        "1. Dig a small hole\n2. Put the seed in the hole\n3. Cover it with earth\n4. Water it every day",
        "1. Water it every day\n2. Dig a small hole",
    ),
    (
        "Turn this into a JSON object: name Ben, age 9, city Rome.",
        '{"name": "Ben", "age": 9, "city": "Rome"}',
        "Ben is 9.",
    ),
    (
        "Write a short story about a shy lion.",
        "There was a shy lion near the lake. It found a map. It was happy.",
        "There was a dog.",
    ),
    ("What is a hammer?", "A hammer is a tool that drives nails into wood.", "A hammer is a fruit that tastes sour."),
    (
        "Invite Leo to a dinner on Monday.",
        "Dear Leo, please come to my dinner on Monday.",
        "Dear Ida, please come to my party.",
    ),
    (
        "Give one advantage and one disadvantage of driving a car.",
        "A good side is that it is fast. A bad side is that fuel is expensive.",
        "A good side is that it is fast.",
    ),
    (
        "Write two lines that rhyme with cat.",
        "I see a brave dog and a hat\nAll we need is the mat",
        "I see a dog\nAll we need is the tree",
    ),
    ("Ben is a baker from Oslo who owns a key. Where does Ben live?", "Ben lives in Oslo.", "Ben lives in Rome."),
    (
        "List 3 fruits. Write every word of your answer in small letters only.",
        "apple, pear and plum.",
        "Apple, pear and plum.",
    ),
    (
        "What is 4 plus 4? Keep the whole answer under 20 words in total.",
        "It is 8.",
        "It is 8. " + "I think so and that is what I say to you every day. " * 2,
    ),
    ("Name 2 birds. Finish your answer with the exact words thank you.", "Owl and duck. Thank you.", "Owl and duck."),
    ("Name 2 birds. Put each item on its own line and number all the lines.", "1. Owl\n2. Duck", "Owl, duck."),
    (
        "What is 12 plus 3? Show your work in numbered steps before you give the final answer.",
        "Step 1: take 12. Step 2: 12 + 3 = 15. Answer: it is 15.",
        "It is 15.",
    ),
    (
        "Name 2 birds. Use the example of Rosa, who works as a pilot in Lima.",
        "Owl and duck. Take Rosa: this pilot from Lima needs it.",
        "Owl and duck.",
    ),
    ("List 2 colors.", "Red and blue.", "Red and blue. There is a lot to say about this. Some say it and some do not."),
    ("List 2 colors.", "Red and blue.", ""),
]


@pytest.mark.parametrize(("prompt", "good", "bad"), WORKED)
def test_a_better_answer_has_the_higher_quality(prompt: str, good: str, bad: str) -> None:
    assert quality(prompt, good) >= 0.85
    assert quality(prompt, bad) < quality(prompt, good) - 0.05


def test_a_follow_up_is_judged_by_the_turns_before_it() -> None:
    turns: list[Message] = [
        {"role": "user", "content": "My name is Ida, my city is Rome and my job is pilot."},
        {"role": "assistant", "content": "Nice to meet you, Ida."},
        {"role": "user", "content": "What is my city?"},
    ]
    assert quality(turns, "Your city is Rome.") > 0.9 > quality(turns, "Your city is Oslo.") + 0.2
    more: list[Message] = [
        {"role": "user", "content": "Name 3 birds."},
        {"role": "assistant", "content": "Owl, duck, hen."},
        {"role": "user", "content": "Give me 2 more."},
    ]
    assert quality(more, "Sure. Robin and eagle.") > 0.9 > quality(more, "Sure. Owl and eagle.") + 0.1


def test_a_rule_of_the_system_message_counts() -> None:
    turns: list[Message] = [
        {"role": "system", "content": "You are a kind assistant. Finish your answer with the exact words good luck."},
        {"role": "user", "content": "What is the opposite of big?"},
    ]
    assert quality(turns, "It is small. Good luck.") > quality(turns, "It is small.") + 0.1


def test_named_qualities_by_hand() -> None:
    got = named(
        "What is 5 plus 4? Also explain in one sentence why this matters in daily life.", "5 + 4 = 8. 5 + 4 = 8."
    )
    assert got["correctness"] == pytest.approx(0.1)  # a number, but not the right one
    assert got["arithmetic"] == 0.0
    assert got["depth"] == 0.0
    assert got["no-repetition"] == 0.5
    assert got["layout"] == got["ending"] == 1.0
    assert got["verbosity"] == pytest.approx(6 / 60)
    assert len(OBJECTIVE_NAMES) == len(set(OBJECTIVE_NAMES)) == 19


def weights(*said: str) -> dict[str, float]:
    """What counts in the answer to the last of `said`, in turns of the user and the assistant."""
    asked = read([{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)])
    assert asked is not None
    return {q: w for q, w in zip(QUALITIES, weights_of(asked), strict=True) if w}


def test_what_counts_depends_on_what_is_asked() -> None:
    always = {"correctness", "directness", "no-repetition", "ending", "known-words", "capital-letters"}
    assert set(weights("What is the opposite of hot?")) == always | {"brevity"}
    assert set(weights("What is 12 plus 3? Do not use any commas in your answer.")) == always | {"arithmetic", "layout"}
    assert set(weights("Write a short story about a shy lion.")) == always | {"relevance", "richness"}
    more = weights("Name 3 birds.", "Owl, duck, hen.", "Give me 2 more.")
    assert set(more) == always | {"structure", "friendliness"}
    ruled = weights("Name 2 birds. Finish your answer with the exact words thank you.")
    assert ruled["correctness"] == pytest.approx(10 / 24)
    assert ruled["wording"] == pytest.approx(3 / 24)
    assert sum(ruled.values()) == pytest.approx(1)


def test_quality_is_the_weighted_mean_of_the_named_ones_in_twentieths() -> None:
    rng = Random(7)
    for _ in range(100):
        asked = draw_instruction(rng, False)
        verdict = judge(asked.messages(), draw_answer(rng, asked, rng.choice(FLAWS)))
        assert verdict is not None
        exact = sum(w * q for w, q in zip(verdict.weights, verdict.qualities, strict=True))
        assert abs(verdict.quality - exact) <= 0.025 + 1e-9
        assert verdict.quality * 20 == pytest.approx(round(verdict.quality * 20))
    assert quality("What is the opposite of hot?", " \n") == 0.0


def test_right_answers_are_better_than_flawed_ones_in_every_family() -> None:
    rng = Random(2)
    for family in FAMILIES:
        marks: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(40):
            asked = draw_instruction(rng, False, family)
            for right in (True, False):
                verdict = judge(asked.messages(), draw_answer(rng, asked, "" if right else rng.choice(FLAWS)))
                assert verdict is not None
                assert all(0 <= q <= 1 for q in (verdict.quality, *verdict.qualities))
                marks[right].append(verdict.quality)
        assert sum(marks[True]) / 40 > max(0.85, sum(marks[False]) / 40 + 0.1), family.name
