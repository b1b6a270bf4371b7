"""`evolve explain`: the story of one prompt or pair in the terminal."""

from __future__ import annotations

from typing import Any

from evolve.reports.figures import METRICS
from evolve.reports.stories import Stories
from evolve.run import Run
from evolve.views.outcome import Outcome
from prompts.display import shown
from prompts.errors import UserError
from prompts.reasons import REASONS


def explained(run: Run, identity: str) -> str:
    """The text for stdout of the prompt that `identity` (see `Stories.find`) belongs to."""
    outcome = run.execute()
    stories = Stories(run, outcome)
    story = stories.of(stories.find(identity))
    blocks = [_origin(stories, story), _prompt(story), _responses(story, stories.objective_names), _pair(story)]
    if story["pair"] and story["pair"]["rank"] is not None:
        blocks.append(_ranks(run, outcome, story["pair"]["id"]))
    if story["rewrites"]:
        blocks.append(_rewrites(story))
    return "\n\n".join(blocks)


def _origin(stories: Stories, story: dict[str, Any]) -> str:
    if story["source"] == "initial":
        return f"Prompt {story['id']}, one of X."
    parent = stories.of(story["parent"])
    return (
        f"Prompt {story['id']}, a rewrite by {story['strategy']} of {story['parent']}:\n"
        f"{_indented(parent['messages'][-1]['content'])}"
    )


def _prompt(story: dict[str, Any]) -> str:
    return "\n".join(f"{one['role']}:\n{_indented(one['content'])}" for one in story["messages"])


def _responses(story: dict[str, Any], objectives: list[str]) -> str:
    pair = story["pair"] or {}
    roles = {pair.get("chosen"): "chosen", pair.get("rejected"): "rejected"}
    lines = []
    for i, one in enumerate(story["responses"]):
        each = f", {one['logp'] / one['n_tokens']:.4g} a token" if one["n_tokens"] and one["logp"] is not None else ""
        score = "no score" if one["score"] is None else f"reward {one['score']:.4g}"
        why = f" ({one['error']})" if one["error"] else ""
        by_model = "".join(f", {name} {_number(score)}" for name, score in one.get("scores", {}).items())
        role = f", {roles[i]}" if i in roles else ""
        lines.append(
            f"Response {i + 1}{role}: {score}{why}{by_model}, {one['n_tokens']} tokens, log pi {_number(one['logp'])}"
            f"{each}, {one['finish_reason']}"
        )
        if roles.get(i) and one["objectives"]:
            named = zip(objectives, one["objectives"], strict=False)
            lines.append(_indented(", ".join(f"{name} {value:.3g}" for name, value in named)))
        if one["thoughts"]:
            lines.append(_indented(f"[thoughts] {one['thoughts']}"))
        lines.append(_indented(one["text"]))
    return "\n".join(lines) if lines else "No responses."


def _pair(story: dict[str, Any]) -> str:
    if not story["pair"]:
        reason = story["reason"]
        meaning = f": {REASONS[reason].meaning}" if reason in REASONS else ""
        return f"No pair ({reason}{meaning})."
    pair = story["pair"]
    return (
        f"Pair {pair['id']}: response {pair['chosen'] + 1} over {pair['rejected'] + 1}, M_r {pair['explicit']:.4g}, "
        f"M_pi {pair['implicit']:.4g} nats a token."
    )


def _ranks(run: Run, outcome: Outcome, pair_id: str) -> str:
    """Where the pair stands by each metric, and whether the same k would take it."""
    ranking, rule = outcome.ranking, run.recipe.selection
    lines = [f"Its rank among {len(ranking.pairs):,} pairs (k = {rule.k}, {len(ranking.best):,} selected):"]
    for metric in METRICS:
        try:
            other = run.ranked_by(ranking.pairs, rule.model_copy(update={"metric": metric}))
        except UserError as error:
            lines.append(f"  {metric:<10} says nothing here: {error}")
            continue
        at = ranking.ids.index(pair_id)
        place = int((other.order == at).argmax())
        own = ", the dataset's own metric" if metric == rule.metric else ""
        standing = "selected" if at in other.best else "not selected"
        lines.append(f"  {metric:<10} {place + 1:>7,}   score {other.scores[at]:>10.4g}   {standing}{own}")
    return "\n".join(lines)


def _rewrites(story: dict[str, Any]) -> str:
    lines = [f"{one['strategy']}, {one['verdict']}:\n{_indented(one['text'])}" for one in story["rewrites"]]
    return "Its rewrites:\n" + "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in shown(text).splitlines() or [""])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
