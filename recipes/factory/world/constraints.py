"""What the strategy "constraints" adds: rules on length, words and form."""

from __future__ import annotations

from recipes.factory.world.modifier import (
    ASK,
    AVOID,
    OPENINGS,
    PHRASES,
    Modifier,
    bare,
    drop_closer,
    ends,
    has,
    in_style,
    line_share,
    open_with,
    put,
    shorten,
    starts,
    within,
    without_word,
)
from recipes.factory.world.wording import mentions, sentence

CONSTRAINTS = (
    Modifier(
        "short",
        "constraints",
        (
            "Keep the whole answer under {n} words in total.",
            "Do not use more than {n} words in your answer.",
            "The answer must fit into at most {n} words.",
        ),
        within,
        lambda r: {"n": str(r.choice((20, 25, 30, 40, 50)))},
        bare,
        shorten,
    ),
    Modifier(
        "include",
        "constraints",
        (
            "Make sure that the answer contains the word {word} at least once.",
            "The answer must also include the word {word} somewhere in it.",
        ),
        has(r"\b{word}\b"),
        lambda r: {"word": r.choice(ASK)},
        put(
            "after",
            "it reminds me of the {word}",
            "I also think of the {word}",
            "even the {word} can help",
            "the {word} is my extra word",
        ),
    ),
    Modifier(
        "avoid",
        "constraints",
        ("Do not use the word {word} anywhere in your answer.", "Your answer must not contain the word {word} at all."),
        lambda m, a: float(not mentions(a, m["word"])),
        lambda r: {"word": r.choice(AVOID)},
        finish=without_word,
    ),
    Modifier(
        "last words",
        "constraints",
        ("Finish your answer with the exact words {phrase}.", "The last words of the answer must be {phrase}."),
        ends,
        lambda r: {"phrase": r.choice(PHRASES)},
        drop_closer,
        lambda m, t: f"{t}{chr(10) if chr(10) in t else ' '}{sentence(m['phrase'])}",
    ),
    Modifier(
        "first words",
        "constraints",
        ("Begin your answer with the exact words {phrase}.", "The first words of the answer must be {phrase}."),
        starts,
        lambda r: {"phrase": r.choice(OPENINGS)},
        open_with,
    ),
    Modifier(
        "small letters",
        "constraints",
        (
            "Write every word of your answer in small letters only.",
            "Use small letters only and no capital letters at all.",
        ),
        lambda m, a: float(a == a.lower()),
        finish=lambda m, t: t.lower(),
    ),
    Modifier(
        "numbered lines",
        "constraints",
        (
            "Put each item on its own line and number all the lines.",
            "Give the answer as a numbered list with one item per line.",
        ),
        lambda m, a: line_share(a, r"\d+\. "),
        apply=in_style("numbered"),
        shapes=frozenset({"list"}),
    ),
    Modifier(
        "stars",
        "constraints",
        (
            "Put each item on its own line with a star in front of it.",
            "Use a new line and a star for every item of the answer.",
        ),
        lambda m, a: line_share(a, r"\* "),
        apply=in_style("star"),
        shapes=frozenset({"list"}),
    ),
    Modifier(
        "no commas",
        "constraints",
        ("Do not use any commas in your answer.", "Write the answer without a single comma."),
        lambda m, a: float("," not in a),
        finish=lambda m, t: t.replace(",", ""),
    ),
)
