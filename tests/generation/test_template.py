"""What a chat template is given beside a conversation: its own switches, and a day that does not change at midnight."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import rewards
from evolve.recipe.definite import definite
from evolve.recipe.identity import rewards_of, sampler_of
from evolve.recipe.sections import Policy, Recipe
from generation import load_chat
from generation.template import template_arguments, template_text, uses_date
from prompts import Message
from prompts.errors import UserError
from rewards.protocol import Group
from tiny_models import scalar
from tiny_policy import policy
from tiny_tokenizers import LLAMA3_TEMPLATE

DATED = "{{ 'Today is ' + strftime_now('%d %B %Y %H:%M') }}" + LLAMA3_TEMPLATE
SWITCHED = LLAMA3_TEMPLATE + "{% if enable_thinking is defined and not enable_thinking %}no thoughts{% endif %}"
ASKED: list[Message] = [{"role": "user", "content": "Why?"}]


def with_template(folder: Path, template: str, *, jinja: bool = False) -> str:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    if jinja:
        del config["chat_template"]
        (folder / "chat_template.jinja").write_text(template)
    else:
        config["chat_template"] = template
    path.write_text(json.dumps(config))
    return str(folder)


def recipe(**sections: Any) -> Recipe:
    given = {"name": "r", "prompts": {"source": "p.jsonl"}, "reward": {"model": "fake"}}
    return Recipe.model_validate(given | sections)


@pytest.mark.parametrize("jinja", [False, True])
def test_the_day_is_the_runs(jinja: bool, tmp_path: Path) -> None:
    folder = with_template(policy(tmp_path / "p"), DATED, jinja=jinja)
    assert uses_date(template_text(Path(folder)))
    chat = load_chat(folder, arguments=template_arguments({}, "2021-03-04"))
    assert chat.tokenizer.render(ASKED).startswith("Today is 04 March 2021 00:00")
    today = load_chat(folder).tokenizer.render(ASKED)
    assert str(date.today().year) in today
    assert not uses_date(template_text(policy(tmp_path / "plain")))


def test_a_day_is_kept_for_a_run_and_is_part_of_the_identity(tmp_path: Path) -> None:
    model = with_template(policy(tmp_path / "p"), DATED)
    reward = with_template(scalar(tmp_path / "r"), DATED)
    asked = recipe(policy={"model": model}, reward={"model": reward})
    begun = definite(recipe(policy={"model": model, "template_date": "2021-03-04"}, reward={"model": reward}))
    assert begun.reward.template_date == date.today().isoformat()
    again = definite(asked, begun)
    assert again.policy.template_date == "2021-03-04"
    assert sampler_of(again).id == sampler_of(begun).id
    today = definite(asked)
    assert today.policy.template_date == date.today().isoformat()
    assert sampler_of(today).id != sampler_of(begun).id
    other_day = asked.model_copy(update={"reward": asked.reward.model_copy(update={"template_date": "2021-03-04"})})
    assert rewards_of(definite(other_day))[0].id != rewards_of(today)[0].id


def test_a_template_without_a_date_has_none(tmp_path: Path) -> None:
    plain = definite(recipe(policy={"model": str(policy(tmp_path / "p")), "template_date": "2021-03-04"}))
    assert plain.policy.template_date is None
    assert "template_date" not in sampler_of(plain).settings


def test_switches_reach_the_policys_template_and_its_identity(tmp_path: Path) -> None:
    model = with_template(policy(tmp_path / "p"), SWITCHED)
    off = definite(recipe(policy={"model": model, "chat_template_kwargs": {"enable_thinking": False}}))
    arguments = template_arguments(off.policy.chat_template_kwargs, off.policy.template_date)
    assert load_chat(model, arguments=arguments).tokenizer.render(ASKED).endswith("no thoughts")
    assert not load_chat(model).tokenizer.render(ASKED).endswith("no thoughts")
    assert sampler_of(off).id != sampler_of(definite(recipe(policy={"model": model}))).id


def test_switches_reach_the_reward_models_template(tmp_path: Path) -> None:
    model = with_template(scalar(tmp_path / "r"), SWITCHED)
    group = [Group(ASKED, ["So.", "Because."])]
    on, off = ({"enable_thinking": value} for value in (True, False))
    scores = [[one.score for one in rewards.load(model, arguments=given).score(group)[0]] for given in (on, off, {})]
    assert scores[0] == scores[2]
    assert scores[0] != scores[1]
    rooms = [rewards.context(model, arguments=given).room(ASKED) for given in (on, off)]
    assert rooms[0] is not None
    assert rooms[1] is not None
    assert rooms[0] > rooms[1]


@pytest.mark.parametrize(
    "name", ["messages", "tools", "tokenize", "bos_token", "strftime_now", "return_dict", "a b", ""]
)
def test_what_is_no_switch_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no argument of a chat template's own"):
        Policy(model="owner/name", chat_template_kwargs={name: True})


def test_a_switch_that_the_template_does_not_read_is_refused(tmp_path: Path) -> None:
    model = with_template(policy(tmp_path / "p"), SWITCHED)
    with pytest.raises(UserError, match=r"policy\.chat_template_kwargs: .*reads no enable_thinkin\b"):
        definite(recipe(policy={"model": model, "chat_template_kwargs": {"enable_thinkin": False}}))


@pytest.mark.parametrize("day", ["today", "2021-3-4", "20210304", "2021-02-30", "2021-03-04T00:00"])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match="expected a day"):
        Policy(model="owner/name", template_date=day)
