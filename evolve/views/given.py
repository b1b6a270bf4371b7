"""The pairs of existing preference data: chosen and rejected as the data has them (pair rule `given`, Section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evolve.pool.pool import Pool
from evolve.recipe.sections import Selection
from evolve.views.pairs import NOT_FINITE, PAIR, Pairs, flips_of
from evolve.views.responses import Responses
from prompts.errors import UserError


def check_given(folder: Path, drawn: dict[str, Any] | None) -> None:
    """Raise `UserError` where pairs are to be taken as the data has them, and there is no such data: X as it was
    `drawn`, None for a run that is about to sample its own responses.
    """
    if drawn is None:
        raise UserError(
            "selection.pair_rule = 'given' takes the pairs of existing preference data, which `evolve score DATA "
            "--policy MODEL` reads. For a run that samples its responses name another rule."
        )
    if not drawn:
        raise UserError(f"{folder} is not scored to its end yet. `evolve score` with the same data goes on.")
    if "given" not in drawn:
        raise UserError(
            f"{folder} was grown: its pairs were not given. Name another selection.pair_rule, such as max_min."
        )


def given_pairs(
    pool: Pool, sampler_id: str, responses: Responses, prompt_ids: Sequence[str], given: np.ndarray, rule: Selection
) -> Pairs:
    """The pair of each row of the data, or a counted reason why it is none; `given` (rows, 2) has the indices of chosen
    and rejected among the responses to `prompt_ids`, one a row: a prompt may have several pairs.

    What the data calls chosen stays chosen, whatever the rewards say. With the guard "degenerate" a pair must mean
    something: two texts with content, different ones with different rewards, and a chosen one that was not cut off.
    Raises `UserError` for rows that have not been scored yet.
    """
    rows, reasons = np.empty(len(prompt_ids), PAIR), np.full(len(prompt_ids), "", object)
    rows["prompt_id"] = np.array(prompt_ids, "S24")
    there, errors = _places(pool, sampler_id)
    places = []
    for side, indices in zip(("chosen", "rejected"), given.T, strict=True):
        ids = np.array([there.get((p, i), b"") for p, i in zip(prompt_ids, indices.tolist(), strict=True)], "S24")
        at = _find(responses.ids, ids)
        places.append(at)
        rows[f"{side}_id"] = ids
        for name, values in (
            ("score", responses.scores),
            ("logp", responses.logp),
            ("n_tokens", responses.n_tokens),
            ("disagreement", responses.disagreement),
        ):
            rows[f"{name}_{side}"] = values[at] if len(values) else 0
        rows[f"ref_logp_{side}"] = np.nan
        missing = (ids == b"") | (np.isnan(rows[f"score_{side}"]) & (responses.reward_errors[at] == ""))
        said = np.array([errors.get(identity, "") for identity in ids.tolist()], object)
        if (missing & (said == "")).any():
            raise UserError(
                f"{int((missing & (said == '')).sum())} of {len(prompt_ids)} pairs lack a log-probability or a reward. "
                "`evolve score` with the same data and models computes only what is missing."
            )
        for reason in (said, responses.reward_errors[at]):
            reasons = np.where(reasons == "", reason, reasons)
    rows["flips"] = flips_of(responses, *places) if len(responses.ids) else -1
    reasons = np.where(reasons == "", _refused(responses, places[0], places[1], rows, rule), reasons)
    kept = reasons == ""
    return Pairs(rows[kept], len(rows), Counter(reasons[~kept].tolist()))


def _refused(
    responses: Responses, chosen: np.ndarray, rejected: np.ndarray, rows: np.ndarray, rule: Selection
) -> np.ndarray:
    """Why a pair with all its numbers is none, "" where it is one; str objects (pairs,)."""
    margin = rows["score_chosen"] - rows["score_rejected"]
    refused = []
    checked = {
        "empty": ("too_few_responses", responses.blank[chosen] | responses.blank[rejected]),
        "cut_off": ("cut_off", ~responses.finished[chosen] & (not rule.allow_cut_off)),
        "identical": ("identical", responses.text_keys[chosen] == responses.text_keys[rejected]),
        "tie": ("tie", margin == 0),
    }
    refused += [why for check, why in checked.items() if check in rule.checks]
    if rule.margin:
        refused.append(("below_margin", margin < rule.margin))
    numbers = [rows[f"{name}_{side}"] for name in ("score", "logp", "n_tokens") for side in ("chosen", "rejected")]
    lengths = np.minimum(rows["n_tokens_chosen"], rows["n_tokens_rejected"])
    refused.append((NOT_FINITE, ~np.isfinite(np.stack(numbers)).all(axis=0) | (lengths <= 0)))
    return np.select([which for _, which in refused], [reason for reason, _ in refused], "").astype(object)


def _places(pool: Pool, sampler_id: str) -> tuple[dict[tuple[str, int], bytes], dict[bytes, str]]:
    """Ids of the responses by prompt and index, and what is wrong with some of them, by id. The last row counts."""
    there: dict[tuple[str, int], bytes] = {}
    errors: dict[bytes, str] = {}
    for part in pool.responses(sampler_id).scan(["id", "prompt_id", "sample_index", "error"]):
        ids = [identity.encode() for identity in part["id"].to_pylist()]
        there |= zip(
            zip(part["prompt_id"].to_pylist(), part["sample_index"].to_pylist(), strict=True), ids, strict=True
        )
        errors |= zip(ids, part["error"].fill_null("").to_pylist(), strict=True)
    return there, {identity: error for identity, error in errors.items() if error}


def _find(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The place of each of `wanted` in `ids`; 0 for what is not there."""
    if not len(ids):
        return np.zeros(len(wanted), np.int64)
    order = np.argsort(ids)
    at = np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)
    found = order[at]
    return np.where(ids[found] == wanted, found, 0)


def errors_of(pool: Pool, sampler_id: str) -> Counter[str]:
    """Why responses have no log-probability, counted."""
    return Counter(_places(pool, sampler_id)[1].values())


def notes_of(pool: Pool, sampler_id: str) -> Counter[str]:
    """How texts and tokens of given responses disagree, and how many were cut to the context, counted."""
    found: Counter[str] = Counter()
    for part in pool.responses(sampler_id).scan(["note", "finish_reason"]):
        found.update(note for note in part["note"].to_pylist() if note)
        cut = pc.sum(pc.equal(part["finish_reason"], pa.scalar("length"))).as_py()
        found.update({"cut": cut} if cut else {})
    return found
