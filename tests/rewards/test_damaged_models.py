"""No damage to a model's folder shows a traceback: it is one error that names the folder, or the model is sound still.

EVOLVE_FUZZ_ROUNDS sets how many folders are damaged for each kind of model (by default a few, for a quick run),
EVOLVE_FUZZ_SEED where they begin.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import rewards
from damaged_models import damaged
from evolve.recipe.fingerprint import fingerprint
from generation import TemplateRefused, load_chat
from generation.checkpoint import resolve
from generation.turns import missing_stop
from prompts import Message
from prompts.errors import UserError
from rewards.protocol import Group
from tiny_models import armorm, scalar
from tiny_pairrm import pairrm
from tiny_policy import policy
from tiny_rewards import grm, inform, qrm, urm

ROUNDS = int(os.environ.get("EVOLVE_FUZZ_ROUNDS", "12"))
SEED = int(os.environ.get("EVOLVE_FUZZ_SEED", "0"))
MAKERS: dict[str, Callable[[Path], Path]] = {
    "armorm": lambda folder: armorm(folder, shards=2),
    "scalar": scalar,
    "pairrm": pairrm,
    "qrm": qrm,
    "urm": urm,
    "inform": inform,
    "grm": grm,
    "policy": policy,
}
ASKED: list[Message] = [{"role": "user", "content": "Why is <|eot_id|> there?"}]


def use_as_reward(folder: Path) -> None:
    """All that a run does with a reward model: identity, room for a response, scores."""
    model = str(folder)
    fingerprint(model)
    context = rewards.context(model)
    context.load()
    context.leaves_room(ASKED)
    for scores in rewards.load(model).score([Group(ASKED, ["So.", "Not so.", ""])]):
        assert len(scores) == 3


def use_as_policy(folder: Path) -> None:
    """All that a run does with a policy before vLLM is started."""
    fingerprint(str(folder))
    chat = load_chat(resolve(str(folder)))
    missing_stop(chat.tokenizer)
    chat.render(ASKED)


@pytest.mark.parametrize("kind", MAKERS)
def test_no_damage_shows_a_traceback(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    whole = MAKERS[kind](tmp_path / "whole")
    use = use_as_policy if kind == "policy" else use_as_reward
    use(whole)
    told = 0
    for number in range(SEED, SEED + ROUNDS):
        folder = tmp_path / "damaged"
        done = damaged(whole, folder, random.Random(f"{kind} {number}"))
        if said := _error_of(use, folder, f"round {number} of {kind}, {done}"):
            told += 1
            assert "damaged" in said, f"{number}, {done}: the error does not name the folder: {said}"
            assert len(said) < 2_000
        shutil.rmtree(folder)
    assert told >= ROUNDS // 4


def _error_of(use: Callable[[Path], None], folder: Path, what: str) -> str:
    try:
        use(folder)
    except UserError as error:
        return str(error)
    except TemplateRefused:
        return ""  # of this conversation: a row's reason
    except BaseException as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return ""


@pytest.mark.parametrize("token", ["cls_token", "sep_token"])
def test_a_control_token_that_the_model_does_not_have_is_told(token: str, tmp_path: Path) -> None:
    """The tokenizer adds what a damaged tokenizer_config.json names, beyond the model's last id."""
    folder = pairrm(tmp_path / "damaged")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {token: "[XYZ]"}))
    with pytest.raises(UserError, match=r"damaged: the tokenizer has '\[XYZ\]'.*vocabulary ends at"):
        use_as_reward(folder)
