"""Training examples: conversations with an answer, rewriting requests, and copying practice."""

from __future__ import annotations

from random import Random

from recipes.factory.world.instruction import FLAWS, Messages, draw_answer, draw_instruction
from recipes.factory.world.judge import known_words
from recipes.factory.world.rewriting import TEMPLATES, draw_rewrite

FLAWED = 0.4  # share of answers with a flaw: there must be something to align
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu an er in or un st th ck ly".split()


def draw_copy(rng: Random) -> tuple[Messages, str]:
    """Copying practice: random words inside a rewriting template; the answer begins with them."""
    pool = sorted(known_words())
    made = [
        rng.choice(pool) if rng.random() < 0.9 else "".join(rng.choices(SYLLABLES, k=rng.randint(1, 3)))
        for _ in range(rng.randint(4, 24))
    ]
    for i in range(len(made)):
        if rng.random() < 0.1:
            made[i] = rng.choice((made[i].capitalize(), made[i] + ",", made[i] + "."))
    text = " ".join(made)
    template = (
        "Repeat this prompt:\n{prompt}"
        if rng.random() < 0.5
        else rng.choice([t for s, t in TEMPLATES.items() if s != "breadth"])
    )
    return [{"role": "user", "content": template.replace("{prompt}", text)}], text


def draw_reply(rng: Random) -> tuple[Messages, str]:
    asked = draw_instruction(rng, False)
    return asked.messages(), draw_answer(rng, asked, rng.choice(FLAWS) if rng.random() < FLAWED else "")


def draw_example(rng: Random, copying: float, rewriting: float) -> tuple[Messages, str]:
    """One example; `copying` and `rewriting` are shares, the rest are answers."""
    at = rng.random()
    if at < copying:
        return draw_copy(rng)
    return draw_rewrite(rng, False) if at < copying + rewriting else draw_reply(rng)
