"""Which columns of existing preference data have the prompt, the pair and the rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from prompts.errors import UserError

PROMPTS = ("prompt", "instruction", "question", "query", "problem", "input")
SIDES = (("chosen", "rejected"), ("chosen_response", "rejected_response"), ("response_chosen", "response_rejected"))
SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen-rating", "rejected-rating"),
    ("chosen_rating", "rejected_rating"),
    ("chosen_avg_rating", "rejected_avg_rating"),
    ("reward_chosen", "reward_rejected"),
    ("chosen_reward", "rejected_reward"),
    ("chosen_rm_score", "rejected_rm_score"),
)
MARGINS = ("margin", "reward_margin", "score_margin", "score_diff")
ALL = (("all_generated_responses", "all_rm_scores"),)  # SimPO's datasets: the responses and their rewards
METADATA = "metadata"


@dataclass(frozen=True)
class Columns:
    """Which column has what; "" for what the data does not have."""

    prompt: str = ""
    chosen: str = ""
    rejected: str = ""
    score_chosen: str = ""
    score_rejected: str = ""
    margin: str = ""
    responses: str = ""
    scores: str = ""

    @property
    def rewards(self) -> str:
        """Where rewards come from, in words."""
        if self.score_chosen:
            return f"{self.score_chosen}, {self.score_rejected}"
        return self.scores or (f"{self.margin}, of which the rejected response has 0" if self.margin else "")

    @property
    def told(self) -> str:
        """What is read from where, in words."""
        found = [(field.name, name) for field in fields(self) if (name := getattr(self, field.name))]
        return ", ".join(role if role == name else f"{role} from {name}" for role, name in found)


ROLES = tuple(field.name for field in fields(Columns))


def find_columns(source: str, there: tuple[str, ...], inner: tuple[str, ...], named: Mapping[str, str]) -> Columns:
    """Which column is what. Raises UserError for data that has no pairs."""
    unknown = [role for role in named if role not in ROLES]
    absent = [name for name in named.values() if name not in (*there, *inner)]
    if unknown or absent:
        raise UserError(
            f"{source}: {f'no role {unknown[0]!r}' if unknown else f'no column {absent[0]!r}'}. Roles are "
            f"{', '.join(ROLES)}; columns are {', '.join((*there, *inner))}."
        )
    found: dict[str, str] = {"prompt": next((name for name in PROMPTS if name in there), "")}
    for roles, names in (
        (("chosen", "rejected"), SIDES),
        (("score_chosen", "score_rejected"), SCORES),
        (("responses", "scores"), ALL),
    ):
        place = (*there, *inner) if roles[0] == "score_chosen" else there
        for pair in names:
            if all(name in place for name in pair):
                found |= zip(roles, pair, strict=True)
                break
    found["margin"] = next((name for name in MARGINS if name in (*there, *inner)), "")
    columns = Columns(**(found | dict(named)))
    if not (columns.chosen and columns.rejected) and not (columns.responses and columns.scores):
        raise UserError(
            f"{source} has the columns {', '.join(there)}; expected {SIDES[0][0]} and {SIDES[0][1]}, or "
            f"{' and '.join(ALL[0])}. Name them with --column chosen=NAME --column rejected=NAME."
        )
    if not columns.chosen and not columns.prompt:
        raise UserError(f"{source} has no column with prompts ({', '.join(PROMPTS)}). Name it: --column prompt=NAME.")
    return columns
