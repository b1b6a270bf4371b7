"""A reward model that gives a distribution: its quantiles are in the pool, its spread bounds the rewards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evolve.run import Run
from fake_runs import fake_recipe, make, prompt, write_source
from tiny_rewards import qrm


def test_the_spread_of_quantiles_bounds_a_reward(tmp_path: Path) -> None:
    """DeltaUCB of one model with quantiles: the largest u_i - l_j of the prompt's responses, one deviation each way."""
    write_source(tmp_path / "x.jsonl", [prompt(i) for i in range(3)])
    settings = {"selection__metric": "delta-ucb", "selection__k": "100%", "sampling__n": 3, "sampling__max_tokens": 30}
    recipe = fake_recipe(tmp_path / "x.jsonl", reward__model=str(qrm(tmp_path / "qrm")), **settings)
    made = make(recipe, tmp_path / "run")
    run = Run(recipe, tmp_path / "run", view_only=True)
    rewards = {}
    for part in run.pool.rewards(run.rewards[0].id).scan(["response_id", "score", "quantiles", "spread"]):
        rewards |= {row["response_id"]: row for row in part.to_pylist()}
    assert rewards
    for row in rewards.values():
        assert len(row["quantiles"]) == 19
        assert row["score"] == pytest.approx(np.mean(row["quantiles"]), abs=1e-5)
        assert row["spread"] == pytest.approx(np.std(row["quantiles"]), abs=1e-5)
    view, rows = run.responses, made.selected.to_pylist()
    assert rows
    for row in rows:
        of = [rewards[identity.decode()] for identity in view.ids[view.spans[row["prompt_id"]]]]
        bounds = [(one["score"] - one["spread"], one["score"] + one["spread"]) for one in of]
        widest = max(u - lower for i, (_, u) in enumerate(bounds) for j, (lower, _) in enumerate(bounds) if i != j)
        assert row["metric_score"] == pytest.approx(widest, abs=1e-6)
        assert row["disagreement_chosen"] is None  # of several models; there is one
