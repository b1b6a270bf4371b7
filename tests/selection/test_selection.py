"""Top k: how many, in which order; and the guard against pairs that teach nothing."""

from __future__ import annotations

import numpy as np
import pytest

from prompts.errors import UserError
from selection import count_of, near_identical, top_k


def _text(n_words: int, **changes: str) -> str:
    """`n_words` different words, some of them (w3="...") replaced."""
    return " ".join(changes.get(f"w{i}", f"w{'abcdefghij'[i // 10]}{'abcdefghij'[i % 10]}") for i in range(n_words))


def test_the_best_come_first() -> None:
    assert top_k(np.array([0.1, 3.0, -2.0, 1.5]), ["a", "b", "c", "d"], 3).tolist() == [1, 3, 0]


def test_ties_go_by_pair_id_in_whatever_order_the_pairs_come() -> None:
    ids = np.array([f"{i:03d}" for i in range(60)])
    scores = np.repeat([2.0, 1.0, 3.0], 20)
    expected = [*ids[40:], *ids[:20], *ids[20:25]]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        best = top_k(scores[order], ids[order].tolist(), 45)
        assert ids[order][best].tolist() == expected


def test_a_smaller_k_is_the_start_of_a_larger() -> None:
    scores = np.random.default_rng(0).integers(0, 10, 200).astype(float)
    ids = [f"{i:024x}" for i in range(200)]
    assert top_k(scores, ids, 20).tolist() == top_k(scores, ids, 150)[:20].tolist()


@pytest.mark.parametrize(
    ("k", "n", "count"),
    [
        (7, 10, 7),
        (10, 10, 10),
        ("20%", 10, 2),
        ("20%", 11, 3),  # rounds up
        ("100%", 7, 7),
        ("0.1%", 7, 1),  # never none
        ("1e-9%", 7, 1),
        ("40%", 5, 2),  # 5 * 40 / 100 in binary is not to become 3
        ("7%", 100, 7),
        ("29%", 100, 29),
        ("20%", 0, 0),
    ],
)
def test_how_many_k_means(k: int | str, n: int, count: int) -> None:
    assert count_of(k, n) == count


def test_more_than_there_is_is_refused_with_the_numbers() -> None:
    with pytest.raises(UserError, match=r"k is 11 .* has 10 pairs"):
        top_k(np.zeros(10), [str(i) for i in range(10)], 11)


@pytest.mark.parametrize("k", [0, -3, "0%", "101%", "-5%", "five", "12", "nan%", ""])
def test_what_is_no_count_nor_share_is_refused(k: int | str) -> None:
    with pytest.raises(UserError, match="k is"):
        count_of(k, 10)


def test_equal_but_for_case_punctuation_and_space_is_near_identical() -> None:
    assert near_identical("Paris is the capital.", "paris  is, the CAPITAL")


def test_one_word_in_twenty_is_near_identical_and_two_are_not() -> None:
    """Dice of 20 words with 19 in common: 2 * 19 / 40 = 0.95. With 18: 0.9."""
    assert near_identical(_text(20), _text(20, w3="other"))
    assert not near_identical(_text(20), _text(20, w3="other", w4="different"))
    assert not near_identical(_text(19), _text(19, w3="other"))  # 36 / 38 = 0.947


def test_an_appended_sentence_makes_a_different_answer() -> None:
    """100 words against the same and 11 more: 200 / 211 = 0.948; with 10 more: 200 / 210 = 0.952."""
    more = " ".join(f"more{'abcdefghijk'[i]}" for i in range(11))
    assert not near_identical(_text(100), f"{_text(100)} {more}")
    assert near_identical(_text(100), f"{_text(100)} {more.rsplit(' ', 1)[0]}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("41", "42"),
        ("1.5", "15"),
        ("3:2", "2:3"),
        ("x = 5", "x = -5"),
        ("3 and 4", "3 and 4 and 4"),
        ("x2", "x3"),
        ("m²", "m³"),
        ("", "7"),
    ],
)
def test_different_numbers_are_different_answers(one: str, other: str) -> None:
    assert not near_identical(f"{_text(100)} {one}", f"{_text(100)} {other}")


def test_the_same_numbers_in_the_same_words_are_near_identical() -> None:
    assert near_identical(f"{_text(60)} 41 of 42", f"{_text(60)} 41 OF 42!")


def test_texts_without_words() -> None:
    assert near_identical("!!!", " !! !")
    assert not near_identical("!!!", "???")
    assert not near_identical("", "word")


def test_order_of_the_arguments_does_not_matter() -> None:
    for other in (_text(20, w3="other"), _text(20, w3="a", w4="b"), f"{_text(20)} 7"):
        assert near_identical(_text(20), other) == near_identical(other, _text(20))
