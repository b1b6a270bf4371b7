"""What `evolve score` prints of preference data and of a reference model: what is there now, and what disagrees."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evolve.pool.pool import Pool
from evolve.recipe.resolved import Resolved
from evolve.views.given import errors_of, notes_of
from evolve.views.references import reference_books
from evolve.watch.tally import Tally
from prompts.display import shown

NOTES = {
    "template_changes_text": "responses that the chat template writes otherwise than they are (white space, often)",
    "tokens_merge": "responses tokenized apart from their prompt, as the policy reads them",
    "other_tokens": "responses whose text does not become the sampled number of tokens again",
    "cut": "responses cut to the context: their first tokens count",
}


def scored(folder: Path, resolved: Resolved, tally: Tally) -> str:
    """The text for stdout after preference data was scored."""
    pool = Pool(folder / "pool")
    drawn = pool.description("x", resolved.x_id)
    lines = [f"{folder}: {len(drawn['ids']):,} pairs of {drawn['n_in']:,} rows{_listed(drawn['dropped'])}"]
    lines.append(f"  columns            {shown(drawn['columns'], one_line=True)}")
    lines += _disagreements(errors_of(pool, resolved.sampler.id), notes_of(pool, resolved.sampler.id))
    if drawn["with_reward"]:
        share = drawn["reversed"] / drawn["with_reward"]
        lines.append(
            f"  {drawn['reversed']:>7,} pairs ({share:.1%}) whose chosen response has the lower reward in the data"
        )
    if drawn["with_reward"] < len(drawn["given"]) and resolved.recipe.reward.model.startswith("given"):
        lines.append(f"  {len(drawn['given']) - drawn['with_reward']:>7,} pairs without a reward in the data")
    if resolved.reference:
        lines += _reference(pool, resolved)
    now = f"{tally.samples:,} responses ({tally.tokens:,} tokens)"
    lines.append(f"  model calls now: {now}, {tally.scored:,} rewards, {tally.referred:,} by the reference")
    at = shlex.quote(str(folder) if "/" in str(folder) else f"./{folder}")
    lines.append(f"Next: evolve select {at} --metric map --k {resolved.recipe.selection.k}")
    return "\n".join([*lines, *_owed(tally)])


def referred(folder: Path, resolved: Resolved, compared: Mapping[str, Any], tally: Tally) -> str:
    """The text for stdout after a reference model was asked about the responses of a run."""
    pool = Pool(folder / "pool")
    lines = [f"{folder}: {tally.referred:,} responses by the reference model now", *_reference(pool, resolved)]
    if compared:
        lines.append(f"  the policy's teacher forcing against its sampling, {compared['responses']} responses:")
        if compared["largest"] is not None:
            largest, mean = compared["largest"], compared["mean"]
            lines.append(
                f"    sums of log-probabilities differ by {largest:.2g} at most, {mean:.2g} in the mean (nats)"
            )
        lines.append(f"    {compared['other_tokens']} of them become other tokens when their text is read again")
    return "\n".join([*lines, *_owed(tally)])


def _reference(pool: Pool, resolved: Resolved) -> list[str]:
    assert resolved.reference is not None
    errors, notes = reference_books(pool, resolved.reference.id)
    name = shown(resolved.reference.model, one_line=True)
    return [f"  reference          {name} ({resolved.reference.id})", *_disagreements(errors, notes)]


def _disagreements(errors: Mapping[str, int], notes: Mapping[str, int]) -> list[str]:
    lines = [f"  {n:>7,} responses without a log-probability: {reason}" for reason, n in sorted(errors.items())]
    return lines + [f"  {n:>7,} {NOTES.get(note, note)}" for note, n in sorted(notes.items())]


def _owed(tally: Tally) -> list[str]:
    told = ", ".join(f"{reason} {n:,}" for reason, n in sorted(tally.owed.items()))
    return [f"  owed: {told}. A machine's fault; the same command tries again."] if told else []


def _listed(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{shown(name, one_line=True)} {n:,}" for name, n in Counter(counts).most_common())
    return f" (dropped: {told})" if told else ""
