"""The comparison behind `make check-trainers`: what a loader spoils is told, and what it leaves alone is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from benchmarks.trainers.comparing import DROPPED, SIDES, Compared, Expected, Pair, Tokens, compare
from benchmarks.trainers.rows import EDGES, Reference
from places import ROOT

POLICY = ROOT / "recipes/embedded/policy"
REFERENCE = Reference(POLICY)
ROWS = [REFERENCE.expected(row) for row in EDGES.values()]
NAMES = list(EDGES)
VOCABULARY = REFERENCE.vocabulary
BOS, END = VOCABULARY.bos, VOCABULARY.end_of_turn


def loaded(change: Callable[[Tokens], Tokens] = lambda tokens: tokens) -> list[Pair]:
    """The rows as a loader would give them that does `change` to every sequence."""
    return [{side: change(row.pair[side]) for side in SIDES} for row in ROWS]


def found(change: Callable[[Tokens], Tokens]) -> Compared:
    return compare(ROWS, loaded(change), VOCABULARY)


def test_what_a_loader_leaves_as_it_is_is_identical() -> None:
    same = found(lambda tokens: Tokens(tokens.ids, tokens.trained))
    assert same.all_identical
    assert (same.identical, same.n_identical("chosen"), same.n_identical("rejected")) == (14, 14, 14)
    assert same.told() == []


def test_a_doubled_bos_is_told() -> None:
    spoiled = found(lambda tokens: Tokens((BOS, *tokens.ids), (False, *tokens.trained)))
    assert spoiled.told() == [f"{side}, 14 rows: doubled BOS" for side in SIDES]
    assert not spoiled.all_identical


def test_a_lost_prompt_is_told() -> None:
    def only_the_completion(tokens: Tokens) -> Tokens:
        n = len(tokens.prompt)
        return Tokens((BOS, *tokens.ids[n:]), (False, *tokens.trained[n:]))

    assert found(only_the_completion).told() == [f"{side}, 14 rows: lost prompt" for side in SIDES]


def test_a_missing_end_of_turn_is_told() -> None:
    spoiled = found(lambda tokens: Tokens(tokens.ids[:-1], tokens.trained[:-1]))
    assert spoiled.told() == [f"{side}, 14 rows: missing end-of-turn" for side in SIDES]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: Tokens((*t.ids, END), (*t.trained, True)), "second end-of-turn"),
        (lambda t: Tokens((*t.ids, BOS), (*t.trained, True)), "tokens after the end-of-turn"),
        (lambda t: Tokens(t.ids, (True,) * len(t.ids)), "trains tokens of the prompt"),
        (lambda t: Tokens(t.ids, (*t.trained[:-1], False)), "does not train the whole completion"),
        (lambda t: Tokens(t.ids, (False,) * len(t.ids)), "does not train the whole completion"),
    ],
    ids=["second end", "something behind", "prompt trained", "end not trained", "nothing trained"],
)
def test_other_faults_have_names_of_their_own(change: Callable[[Tokens], Tokens], told: str) -> None:
    assert found(change).told() == [f"{side}, 14 rows: {told}" for side in SIDES]


def test_another_token_is_told_with_its_place() -> None:
    def first_of_the_completion(tokens: Tokens) -> Tokens:
        n = len(tokens.prompt)
        return Tokens((*tokens.ids[:n], BOS, *tokens.ids[n:]), (*tokens.trained[:n], True, *tokens.trained[n:]))

    def end_of_the_prompt(tokens: Tokens) -> Tokens:
        n = len(tokens.prompt)
        return Tokens((*tokens.ids[:n], BOS, *tokens.ids[n:]), (*tokens.trained[:n], False, *tokens.trained[n:]))

    assert found(first_of_the_completion).told() == [
        f"{side}, 14 rows: other tokens in the completion" for side in SIDES
    ]
    assert found(end_of_the_prompt).told() == [f"{side}, 14 rows: other tokens in the prompt" for side in SIDES]


def test_a_lost_system_message_and_a_lost_turn_are_told_by_their_role() -> None:
    i = NAMES.index("system and many turns")
    row = EDGES["system and many turns"]
    for lost, role in ((0, "system"), (2, "assistant")):
        without = {**row, "prompt": [message for n, message in enumerate(row["prompt"]) if n != lost]}
        rows = loaded()
        rows[i] = REFERENCE.expected(without).pair
        compared = compare(ROWS, rows, VOCABULARY)
        assert compared.told() == [f"{side}, 1 rows: lost {role} message" for side in SIDES]
        assert compared.identical == 13


def test_one_spoiled_side_of_one_row_is_counted_once() -> None:
    rows = loaded()
    good = rows[3]["rejected"]
    rows[3] = {"chosen": rows[3]["chosen"], "rejected": Tokens(good.ids[:-1], good.trained[:-1])}
    compared = compare(ROWS, rows, VOCABULARY)
    assert (compared.identical, compared.n_identical("chosen"), compared.n_identical("rejected")) == (13, 14, 13)
    assert compared.faults[3] == {"chosen": None, "rejected": "missing end-of-turn"}
    assert not compared.all_identical


def test_swapped_sides_are_not_identical() -> None:
    rows = [{"chosen": row["rejected"], "rejected": row["chosen"]} for row in loaded()]
    compared = compare(ROWS, rows, VOCABULARY)
    assert compared.n_identical("chosen") == compared.n_identical("rejected") == 0


def test_dropped_rows_are_told_and_the_others_compared_with_their_own() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        gone = set(rng.sample(range(14), rng.randrange(1, 6)))
        compared = compare(ROWS, [row for i, row in enumerate(loaded()) if i not in gone], VOCABULARY)
        assert {i for i, row in enumerate(compared.faults) if row["chosen"] == DROPPED} == gone
        assert compared.identical == 14 - len(gone)
        assert not compared.all_identical


def test_a_row_that_is_wrong_is_not_taken_for_a_dropped_one() -> None:
    rows = loaded(lambda tokens: Tokens((BOS, *tokens.ids), (False, *tokens.trained)))
    del rows[NAMES.index("unicode")]
    compared = compare(ROWS, rows, VOCABULARY)
    assert compared.faults[NAMES.index("unicode")] == dict.fromkeys(SIDES, DROPPED)
    assert sorted(compared.told()) == sorted(
        f"{side}, {n} rows: {told}" for side in SIDES for n, told in ((1, DROPPED), (13, "doubled BOS"))
    )


def test_rows_that_a_loader_makes_up_are_told() -> None:
    rows = loaded()
    compared = compare(ROWS, [*rows[:4], rows[0], *rows[4:]], VOCABULARY)
    assert compared.identical == 14
    assert compared.told() == ["1 rows beside the dataset's"]
    assert not compared.all_identical


def test_no_rows_at_all_are_not_identical() -> None:
    assert not compare([], [], VOCABULARY).all_identical
    assert compare(ROWS, [], VOCABULARY).told() == [f"{side}, 14 rows: {DROPPED}" for side in SIDES]


def test_what_is_expected_is_the_template_of_the_policy() -> None:
    header = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
    row: Expected = ROWS[NAMES.index("system")]
    text = VOCABULARY.decode(row.pair["chosen"].ids)
    prompt = header.format("system", "Answer in one word.") + header.format("user", "Which color has snow?")
    assert text == "<|begin_of_text|>" + prompt + header.format("assistant", "White")
    trained = [one for one, on in zip(row.pair["chosen"].ids, row.pair["chosen"].trained, strict=True) if on]
    assert VOCABULARY.decode(trained) == "White<|eot_id|>"
    assert REFERENCE.n_odd_ends(ROWS) == 0
    inside = {"prompt": EDGES["one character"]["prompt"]} | {
        side: [{"role": "assistant", "content": "a <|eot_id|> b"}] for side in SIDES
    }
    assert REFERENCE.n_odd_ends([REFERENCE.expected(inside)]) == 2
