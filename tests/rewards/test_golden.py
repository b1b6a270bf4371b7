"""Published figures: a model that has them passes, another is told apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rewards
from prompts.errors import UserError
from rewards.golden import APPLES, CARDS, GOLDEN_COEFFICIENTS, GOLDEN_REWARDS, compare_with_card
from rewards.objectives import ARMORM
from rewards.protocol import Score
from tiny_models import armorm, scalar
from tiny_rewards import qrm

NAME = "Skywork-Reward-V2-Llama-3.1-8B"


def test_golden_check_knows_the_released_model_from_another(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the card says"):
        rewards.golden_check(rewards.load(str(armorm(tmp_path))))
    with pytest.raises(UserError, match="ArmoRM"):
        rewards.golden_check(rewards.load("fake:0"))


def test_golden_figures_are_read_on_the_cards_scale() -> None:
    """A score built from the card's own figures passes: rewards times 5 minus 0.5, and M that takes verbosity out."""
    objectives = tuple((value + 0.5) / 5 for value in GOLDEN_REWARDS) + (0.0,) * 14
    weights = np.zeros(19)
    for name, value in GOLDEN_COEFFICIENTS.items():
        weights[ARMORM.index(name)] = value
    matrix = np.eye(19)
    matrix[4] -= 0.5
    matrix[4, 4] = 0
    weights[4] = 0
    weights[18] = 2 * (0.10864 - 0.5 * (0.19922 + 0.07861))
    score = Score(0.1, objectives, tuple(weights))
    found = compare_with_card(ARMORM, score, matrix)
    assert [expected for _, expected, _ in found] == pytest.approx([got for _, _, got in found])
    with pytest.raises(UserError, match="code-complexity"):
        compare_with_card(ARMORM, score, np.zeros((19, 19)))


def test_qrm_is_no_armorm(tmp_path: Path) -> None:
    """It has ArmoRM's objectives, and other figures."""
    with pytest.raises(UserError, match=r"published figures for ArmoRM.* only, not for"):
        rewards.golden_check(rewards.load(str(qrm(tmp_path))))


def test_a_model_with_the_published_scores_passes_and_another_of_its_name_does_not(tmp_path: Path) -> None:
    """The head of a tiny classifier is solved for so that it gives the two figures of the README."""
    folder = scalar(tmp_path / NAME)
    model = rewards.load(str(folder))
    with pytest.raises(UserError, match=r"score of response 1: .*published are 23\.0000.*SkyworkAI"):
        rewards.golden_check(model)
    states = torch.stack([state[0] for state in model.reader.read(model.rows(APPLES))])
    weight = torch.linalg.pinv(states.double()) @ torch.tensor(CARDS[NAME].scores, dtype=torch.double)
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"score.weight": weight[None].float()}, folder / "model.safetensors", metadata={"format": "pt"})
    found = rewards.golden_check(rewards.load(str(folder)))
    assert [(expected, round(got, 3)) for _, expected, got in found] == [(23.0, 23.0), (3.59375, 3.594)]
    other = shutil.move(folder, tmp_path / "another-name")
    with pytest.raises(UserError, match="A folder has to have the model's name"):
        rewards.golden_check(rewards.load(str(other)))


def test_a_figure_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="score of response 1: too_long"):
        rewards.golden_check(rewards.load(str(scalar(tmp_path / NAME, limit=60))))
