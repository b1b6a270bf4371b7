"""The world behind the embedded models reads what it writes, and keeps what it holds out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from prompts import Message
from recipes.factory import EMBEDDED
from recipes.factory.seeds import save_seeds
from recipes.factory.world.corpus import draw_copy, draw_reply
from recipes.factory.world.instruction import FAMILIES, draw_instruction, is_held_out, read
from recipes.factory.world.modifiers import MODIFIERS
from recipes.factory.world.rewriting import ALL_STRATEGIES, TEMPLATES, draw_rewrite, evolve, request
from recipes.factory.world.wording import fill, match_whole, words


def test_what_the_world_writes_it_reads_back() -> None:
    rng = Random(1)
    for family in FAMILIES:
        for _ in range(20):
            asked = draw_instruction(rng, False, family)
            got = read(asked.messages())
            assert got is not None, asked.text()
            assert (got.family.name, got.core) == (family.name, asked.core)
            assert sorted(m.name for m, _ in got.rules) == sorted(m.name for m, _ in asked.rules)


def test_there_are_families_and_modifiers_enough() -> None:
    assert len({f.name for f in FAMILIES}) == len(FAMILIES) >= 15
    for strategy in ("constraints", "deepen", "concretize", "reasoning"):
        assert sum(m.strategy == strategy for m in MODIFIERS) >= 4
    for modifier in MODIFIERS:
        rng = Random(3)
        for wording in modifier.wordings:
            assert 4 <= len(words(fill(wording, modifier.draw(rng)))) <= 20


@pytest.mark.parametrize("strategy", ALL_STRATEGIES)
def test_rewrites_keep_the_prompt_and_add_a_sentence(strategy: str) -> None:
    rng = Random(4)
    for _ in range(60):
        asked = draw_instruction(rng, False)
        fresh = evolve(rng, asked, strategy)
        if fresh is None:
            continue
        assert read([*asked.messages()[:-1], {"role": "user", "content": fresh.text()}]) is not None
        if strategy == "breadth":
            assert fresh.core != asked.core
            assert fresh.family is asked.family
        else:
            assert asked.core in fresh.text()
            assert 4 <= len(words(fresh.text())) - len(words(asked.text())) <= 20


def test_templates_are_one_a_strategy_with_one_placeholder() -> None:
    assert set(TEMPLATES) == set(ALL_STRATEGIES)
    assert all(t.count("{prompt}") == 1 for t in TEMPLATES.values())
    turns: list[Message] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Say {prompt} twice."},
    ]
    made = request("deepen", turns)
    assert made[0] == turns[0]
    assert made[1]["content"].endswith("\nSay {prompt} twice.")


def test_training_never_sees_a_held_out_prompt() -> None:
    rng = Random(5)
    shipped = [json.loads(line) for line in (EMBEDDED / "prompts.jsonl").read_text().splitlines()]
    assert len(shipped) >= 150
    families = set()
    for row in shipped:
        turns = row["prompt"]
        asked = read(turns if isinstance(turns, list) else [{"role": "user", "content": turns}])
        assert asked is not None
        assert is_held_out(asked.core, asked.values)
        families.add(asked.family.name)
    assert families == {f.name for f in FAMILIES}
    for _ in range(1000):
        messages, _ = draw_reply(rng)
        asked = read(messages)
        assert asked is not None
        assert not asked.held_out()
        request_, text = draw_rewrite(rng, False)
        asked = read([*request_[:-1], {"role": "user", "content": text}])
        assert asked is not None
        assert not asked.held_out()


def test_the_shipped_prompts_are_what_the_factory_draws(tmp_path: Path) -> None:
    save_seeds(tmp_path / "prompts.jsonl")
    assert (tmp_path / "prompts.jsonl").read_bytes() == (EMBEDDED / "prompts.jsonl").read_bytes()


def test_copying_practice_holds_what_it_asks_to_copy() -> None:
    turns, text = draw_copy(Random(6))
    assert turns[-1]["content"].endswith(text)


def test_a_template_reads_only_what_it_renders() -> None:
    assert match_whole("List {n} {kind}.", "List 3 fruits.") == {"n": "3", "kind": "fruits"}
    assert match_whole("List {n} {kind}.", "List 3 fruits. Now.") is None
    assert match_whole("{name} has {x}. How old is {name}?", "Ben has 3. How old is Leo?") is None
