"""Names of reward models' objectives where the checkpoint does not carry them."""

from __future__ import annotations

from pathlib import Path

from generation.checkpoint import read_json
from prompts.errors import UserError

# The order of ArmoRM-Llama3-8B-v0.1's 19 rewards; its config.json does not name them, its model card does.
ARMORM = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
# The five attributes of HelpSteer2, in the order of URM's model card.
HELPSTEER2 = (
    "helpsteer2-helpfulness",
    "helpsteer2-correctness",
    "helpsteer2-coherence",
    "helpsteer2-complexity",
    "helpsteer2-verbosity",
)


def named(folder: Path, n: int, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names of n objectives: those of config.json, else `known` if there are as many, else numbers. Raises UserError
    if config.json names another number of them.
    """
    given = read_json(folder, "config.json").get("objective_names") or ()
    if given and len(given) != n:
        raise UserError(f"{folder}/config.json: {len(given)} objective_names for {n} objectives.")
    return tuple(given) or (known if n == len(known) else tuple(f"objective_{i}" for i in range(n)))
