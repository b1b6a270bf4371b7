"""The recipes with Skywork-Reward-V2 are the paper's and the laptop's with another reward model, and nothing else."""

from __future__ import annotations

from evolve.recipe.loading import load_recipe


def test_the_gpu_recipe_is_the_papers_with_another_reward_model() -> None:
    paper, skywork = load_recipe("llama3-8b"), load_recipe("llama3-8b-skywork")
    assert skywork.reward.model == "Skywork/Skywork-Reward-V2-Llama-3.1-8B"
    other = {"name": paper.name, "reward": paper.reward}
    assert skywork.model_copy(update=other) == paper


def test_the_laptop_has_the_smallest_one_and_no_system_prompt() -> None:
    """Its authors trained without system prompts."""
    for name in ("laptop", "llama3-8b-skywork"):
        assert load_recipe(name).policy.system_prompt is None
    assert load_recipe("laptop").reward.model == "Skywork/Skywork-Reward-V2-Qwen3-0.6B"
