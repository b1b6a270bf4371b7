"""Annotation of lines, checks, combination and loading."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import rewards
from generation import TemplateRefused
from prompts.errors import UserError
from rewards.models.fake import FakeRewardModel
from rewards.protocol import Group, Score
from tiny_models import armorm
from tiny_pairrm import pairrm
from tiny_tokenizers import LLAMA3_TEMPLATE

USER = [{"role": "user", "content": "Hello"}]


class Recording(FakeRewardModel):
    """The fake model, keeping the groups that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Group]] = []

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        self.calls.append(list(groups))
        return super().score(groups)


LINES = [
    {"prompt": "Hello", "response": "Hi", "id": 7},
    {"prompt": USER, "response": [{"role": "assistant", "content": "Hi"}]},
    {"prompt": "Hello", "response": ""},
    {"prompt": "Other", "response": "Hi", "score": "old"},
    {"prompt": "Hello"},
    {"response": "Hi"},
    {"prompt": 3, "response": "Hi"},
    {"prompt": [], "response": "Hi"},
    {"prompt": [{"role": "user"}], "response": "Hi"},
    {"prompt": "Hello", "response": ["Hi"]},
    {"prompt": "Hello", "response": "\udc00"},
    "not an object",
    None,
    {"prompt": "Hello", "response": "Hi"},
]
ERRORS = [None] * 4 + ["no_response", "no_prompt", "bad_prompt", "bad_prompt", "bad_prompt", "bad_response"]
ERRORS += ["bad_unicode", "not_an_object", "not_an_object", None]


@pytest.mark.parametrize("window", [1, 3, 512])
def test_one_line_out_for_each_line_in(window: int) -> None:
    out = list(rewards.score_lines(rewards.load("fake:0"), iter(LINES), window=window))
    assert [line.get("error") for line in out] == ERRORS
    assert all(
        ("score" in line) == (error is None) for line, error in zip(out, ERRORS, strict=True) if error != "no_prompt"
    )
    assert out[0]["id"] == 7
    assert out[0]["score"] == out[1]["score"] == out[13]["score"] != out[2]["score"]
    assert isinstance(out[3]["score"], float)
    assert "gating" not in out[0]


def test_neighbours_with_an_equal_prompt_are_one_group() -> None:
    model = Recording()
    list(rewards.score_lines(model, LINES))
    assert [[len(group.responses) for group in call] for call in model.calls] == [[3, 1, 1]]


@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_group_is_never_cut(window: int) -> None:
    lines = [{"prompt": name, "response": str(i)} for i, name in enumerate("aaabbbbcdd")]
    model = Recording()
    out = list(rewards.score_lines(model, lines, window=window))
    assert [line["response"] for line in out] == [line["response"] for line in lines]
    assert [len(group.responses) for call in model.calls for group in call] == [3, 4, 1, 2]


def test_it_streams() -> None:
    """No more than a window is read before the first line comes out."""
    read = []

    def lines() -> object:
        for i in range(100):
            read.append(i)
            yield {"prompt": str(i), "response": ""}

    stream = rewards.score_lines(rewards.load("fake:0"), lines(), window=10)  # type: ignore[arg-type]
    next(stream)
    assert len(read) == 11  # one ahead, to see whether the group goes on
    assert len(list(stream)) == 99


def test_vectors_of_armorm(tmp_path: Path) -> None:
    model = rewards.load(str(armorm(tmp_path, limit=60)))
    lines = [{"prompt": "Hello", "response": text} for text in ("Hi", "word " * 60)]
    good, bad = rewards.score_lines(model, lines)
    assert len(good["rewards"]) == len(good["gating"]) == 19
    assert sum(good["gating"]) == pytest.approx(1.5, abs=1e-5)
    assert (bad["error"], "score" in bad) == ("too_long", False)
    assert json.loads(json.dumps(good)) == good


def test_combine_by_hand() -> None:
    """a: mean 2, deviation sqrt(2/3): z = -1.2247, 0, 1.2247; b: the same reversed, weight 3: a/4 - 3a/4 = -a/2."""
    a = np.array([1.0, 2.0, 3.0])
    combined, disagreement = rewards.combine({"a": a, "b": -10 * a}, {"a": 1, "b": 3})
    z = 1.5**0.5
    assert combined == pytest.approx([z / 2, 0, -z / 2])
    assert disagreement == pytest.approx([z, 0, z])


def test_combine_standardizes_pairwise_models_within_the_prompt() -> None:
    scores = {"pair": np.array([1.0, 3.0, 10.0, 30.0])}
    combined, disagreement = rewards.combine(scores, prompts=["p", "p", "q", "q"], pairwise=["pair"])
    assert combined == pytest.approx([-1, 1, -1, 1])
    assert disagreement == pytest.approx([0, 0, 0, 0])


def test_combine_with_gaps_and_constants() -> None:
    scores = {"a": np.array([1.0, np.nan, 3.0]), "constant": np.array([0.1, 0.1, 0.1])}
    combined, disagreement = rewards.combine(scores)
    assert combined == pytest.approx([-0.5, np.nan, 0.5], nan_ok=True)
    assert disagreement == pytest.approx([0.5, np.nan, 0.5], nan_ok=True)


def test_combine_refuses_what_does_not_fit() -> None:
    a = np.arange(3.0)
    for arguments in (
        ({},),
        ({"a": a, "b": a[:2]},),
        ({"a": a}, {"b": 1}),
        ({"a": a}, {"a": 0}),
        ({"a": a, "b": a}, {"a": 2, "b": -1}),
    ):
        with pytest.raises(UserError):
            rewards.combine(*arguments)
    with pytest.raises(UserError, match="prompts"):
        rewards.combine({"a": a}, pairwise=["a"])


class Drifting(FakeRewardModel):
    """Its scores depend on how many rows come together, as with a wrong padding side."""

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        drift = 0.01 * sum(len(group.responses) for group in groups)
        return [[Score(score.score + drift) for score in row] for row in super().score(groups)]


class Forgetful(FakeRewardModel):
    """In a batch it gives up on every row."""

    def score(self, groups: Sequence[Group]) -> list[list[Score]]:
        scores = super().score(groups)
        return scores if len(groups) == 1 else [[Score(math.nan, error="too_long") for _ in row] for row in scores]


def test_trust_check_tells_a_model_whose_batches_matter() -> None:
    groups = [Group(USER, ["a", "b" * n]) for n in range(9)]
    assert rewards.trust_check(FakeRewardModel(), groups) == 0.0
    assert rewards.trust_check(FakeRewardModel(), []) == 0.0
    with pytest.raises(UserError, match="differ by"):
        rewards.trust_check(Drifting(), groups)
    with pytest.raises(UserError, match="too_long"):
        rewards.trust_check(Forgetful(), groups)


def test_loading_says_what_is_wrong(tmp_path: Path) -> None:
    folder = armorm(tmp_path / "model", shards=2)
    for name, words in (
        (str(tmp_path / "absent"), "no such folder"),
        ("just-a-name", "no such folder"),
        ("fake:x", "number"),
    ):
        with pytest.raises(UserError, match=words):
            rewards.load(name)
    with pytest.raises(UserError, match="batch_tokens"):
        rewards.load(str(folder), batch_tokens=0)
    with pytest.raises(UserError, match="float16"):
        rewards.load(str(folder), dtype="float16")  # type: ignore[arg-type]
    cut = tmp_path / "cut"
    shutil.copytree(folder, cut)
    shard = sorted(cut.glob("*.safetensors"))[1]
    os.truncate(shard, shard.stat().st_size - 10)
    with pytest.raises(UserError, match="incomplete"):
        rewards.load(str(cut))
    shard.unlink()
    with pytest.raises(UserError, match=shard.name):
        rewards.load(str(cut))
    (cut / "config.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        rewards.load(str(cut))
    (cut / "config.json").unlink()
    with pytest.raises(UserError, match=r"no config\.json"):
        rewards.load(str(cut))


def test_a_missing_chat_template_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template"):
        rewards.load(str(armorm(tmp_path, template="")))


def test_a_hub_name_that_cannot_be_had_is_a_user_error() -> None:
    with pytest.raises(UserError, match="the Hub did not give it"):
        rewards.load("nobody-at-all/no-such-reward-model")


def test_contexts_by_kind(tmp_path: Path) -> None:
    assert rewards.context("fake:0").room(USER) is None
    assert rewards.context("openai:m").limit is None
    assert rewards.context(str(armorm(tmp_path / "a", limit=90))).limit == 90
    assert rewards.context(str(pairrm(tmp_path / "p"))).limit == 2048
    without_system = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + LLAMA3_TEMPLATE
    refusing = rewards.context(str(armorm(tmp_path / "r", template=without_system)))
    assert refusing.room(USER)
    with pytest.raises(TemplateRefused):
        refusing.room([{"role": "system", "content": "Be brief."}, *USER])
    with pytest.raises(UserError, match="takes no conversation"):
        rewards.context(str(armorm(tmp_path / "n", template="{{ raise_exception('no') }}"))).load()
