"""Prompts that repeat a benchmark's: every planted copy is found, whatever was done to it, and nothing else is."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
import pytest

from prompts.diversity import distinct
from prompts.overlap import N, Overlaps, index_of, overlaps, shared_words

SYLLABLES = "ba ce di fo gu ha ké li mö nu pa ra si to vu wa zé".split()
ALPHABETS = {
    "latin": ["".join(pair) for pair in zip(SYLLABLES * 17, sorted(SYLLABLES * 17), strict=True)],
    "chinese": [chr(0x4E00 + i) for i in range(400)],
    "cyrillic": [chr(0x430 + i % 32) + chr(0x430 + i // 32) for i in range(300)],
    "thai": [chr(0x0E01 + i) for i in range(44)],
}


def text(rng: random.Random, words: list[str], n: int, joint: str = " ") -> str:
    return joint.join(rng.choices(words, k=n))


def recased(rng: random.Random, said: str) -> str:
    return "".join(rng.choice((char.upper(), char.lower())) for char in said)


def repunctuated(rng: random.Random, said: str) -> str:
    marks = [", ", "; ", " - ", " – ", "... ", "\n\n", " / ", " * ", "\t", " “", "_ _"]
    return "> **" + "".join(rng.choice(marks) if char == " " else char for char in said) + "!?**"


def reencoded(rng: random.Random, said: str) -> str:
    wide = "".join(chr(ord(char) + 0xFEE0) if "a" <= char <= "z" else char for char in said)
    hidden = "".join(char + rng.choice(("", "\u200b", "\u00ad")) if char.isalpha() else char for char in said)
    return rng.choice((wide, hidden, unicodedata.normalize("NFD", said)))


def embedded(rng: random.Random, said: str) -> str:
    around = [f"outside{i}" for i in range(50)]
    return f"{text(rng, around, rng.randrange(1, 60))}: {said} -- {text(rng, around, rng.randrange(1, 60))}"


CHANGES = [recased, repunctuated, reencoded, embedded]


def repeated(found: Overlaps) -> set[tuple[int, int]]:
    at = found.repeats
    return set(zip(found.prompts[at].tolist(), found.rows[at].tolist(), strict=True))


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("seed", range(8))
def test_every_planted_copy_is_found_and_nothing_else(alphabet: str, seed: int) -> None:
    rng = random.Random(f"{alphabet} {seed}")
    words = ALPHABETS[alphabet]
    half = len(words) // 2
    joint = rng.choice((" ", "")) if alphabet in ("chinese", "thai") else " "
    benchmark = [text(rng, words[:half], rng.randrange(N, 200), joint) for _ in range(60)]
    prompts = [text(rng, words[half:], rng.randrange(1, 200), joint) for _ in range(300)]
    planted = set()
    for row, said in enumerate(benchmark):
        for change in rng.sample(CHANGES, rng.randrange(len(CHANGES) + 1)):
            said = change(rng, said)
        place = rng.randrange(len(prompts) + 1)
        planted = {(at + (at >= place), which) for at, which in planted} | {(place, row)}
        prompts.insert(place, said)
    assert repeated(overlaps([[one] for one in prompts], index_of(benchmark))) == planted


@pytest.mark.parametrize("seed", range(4))
def test_short_prompts_are_compared_whole(seed: int) -> None:
    rng = random.Random(seed)
    benchmark = [f"{text(rng, ALPHABETS['latin'], rng.randrange(1, N - 1))} w{i}" for i in range(40)]
    copies = [recased(rng, one) for one in benchmark] + [repunctuated(rng, one) for one in benchmark]
    found = repeated(overlaps([[one] for one in copies], index_of(benchmark)))
    assert {(i, i % 40) for i in range(80)} == {(i, row) for i, row in found if row == i % 40}
    assert len(found) == 80
    longer = [[f"{one} and more"] for one in benchmark]
    assert repeated(overlaps(longer, index_of(benchmark))) == set()


def test_a_sum_is_not_a_difference() -> None:
    found = overlaps([["What is 3 - 4?"], ["what is 3 + 4"]], index_of(["What is 3 + 4?"]))
    assert repeated(found) == {(1, 0)}


def test_the_share_is_that_of_the_benchmarks_words_in_common_n_grams() -> None:
    """By hand: of 20 words the prompt has the first 9, in two 8-grams; and 7 others in a row, which make none."""
    words = [f"w{i}" for i in range(20)]
    prompt = " ".join([*words[:9], "between", *words[11:18]])
    found = overlaps([[prompt]], index_of([" ".join(words)]))
    assert found.shares.tolist() == [9 / 20]
    assert not found.repeats.any()
    assert shared_words(" ".join(words), [prompt]) == " ".join(words[:9])
    twice = overlaps([[" ".join(words[:9]), " ".join(words[11:20])]], index_of([" ".join(words)]))
    assert twice.shares.tolist() == [18 / 20]  # of two turns together
    half = overlaps([[" ".join(words[:10])]], index_of([" ".join(words)]))
    assert half.repeats.tolist() == [True]


def test_shares_are_those_of_the_plain_definition() -> None:
    """Against sets of tuples, on texts of few words, where n-grams repeat within a text and lie in many prompts."""
    rng = random.Random(5)
    words = ["a", "b"]
    benchmark = [text(rng, words, rng.randrange(N, 30)) for _ in range(25)]
    prompts = [text(rng, words, rng.randrange(1, 60)) for _ in range(60)]
    expected = {}
    for i, prompt in enumerate(prompts):
        theirs = {tuple(prompt.split()[at : at + N]) for at in range(len(prompt.split()) - N + 1)}
        for row, one in enumerate(benchmark):
            said = one.split()
            starts = [at for at in range(len(said) - N + 1) if tuple(said[at : at + N]) in theirs]
            if covered := {at + k for at in starts for k in range(N)}:
                expected[i, row] = len(covered) / len(said)
    found = overlaps([[one] for one in prompts], index_of(benchmark))
    shares = dict(
        zip(zip(found.prompts.tolist(), found.rows.tolist(), strict=True), found.shares.tolist(), strict=True)
    )
    assert shares == expected


def test_what_is_held_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    benchmark = index_of([text(rng, ["a", "b", "c"], 20) for _ in range(30)])
    prompts = [[text(rng, ["a", "b", "c"], 40)] for _ in range(200)]
    whole = overlaps(prompts, benchmark)
    monkeypatch.setattr("prompts.overlap._AT_ONCE", 1)
    for name in ("prompts", "rows", "shares"):
        assert np.array_equal(getattr(overlaps(prompts, benchmark), name), getattr(whole, name))


@pytest.mark.parametrize("said", ["", "   ", "?!", "\u200b\u00ad", "\ud800", "a", "\0", "𝔞 " * 9, "é" * 100_000])
def test_no_text_is_too_odd(said: str) -> None:
    other = "these are the eight words of a benchmark prompt"
    found = overlaps([[said], [], [other]], index_of([other, said, ""]))
    assert (2, 0) in repeated(found)
    assert not {(i, 2) for i in range(3)} & repeated(found)  # what says nothing is repeated by nothing
    assert len(overlaps([], index_of([other])).shares) == len(overlaps([[other]], index_of([])).shares) == 0


def test_a_huge_prompt_is_read() -> None:
    rng = random.Random(2)
    benchmark = text(rng, ALPHABETS["latin"], 40)
    huge = f"{text(rng, ALPHABETS['cyrillic'], 200_000)} {benchmark} {text(rng, ALPHABETS['cyrillic'], 200_000)}"
    assert repeated(overlaps([[huge]], index_of([benchmark]))) == {(0, 0)}


def test_distinct_n_by_hand() -> None:
    """a b a b / a b: unigrams 2 of 6, bigrams ab ba ab ab: 2 of 4, trigrams aba bab: 2 of 2; none across texts."""
    assert distinct(["A b, a b!", "a b"]) == {"1": 2 / 6, "2": 2 / 4, "3": 1.0}
    assert distinct([]) == distinct(["", "?"]) == {"1": None, "2": None, "3": None}
    assert distinct(["one"]) == {"1": 1.0, "2": None, "3": None}
