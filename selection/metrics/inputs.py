"""What a metric can be given: every input by its name, what it is, and how to get it where it is missing."""

from __future__ import annotations

from typing import NamedTuple


class Input(NamedTuple):
    """What an input is, what to do where it is missing, and its shape: per pair, per response of the pair's prompt, or
    one for all.
    """

    meaning: str
    advice: str
    shape: str = "(pairs,)"


_SCORES = "score the responses: `evolve annotate RUN`, or reward columns in existing data"
_LOGP = "let the policy's log-probabilities be computed: `evolve score DATA --policy MODEL`; grown data has them"
_REFERENCE = (
    "let a reference model's log-probabilities be computed: `evolve score ... --reference MODEL`. The policy that "
    "sampled the responses is not one: against itself every ratio is 0"
)
_IMPLICIT = f"{_LOGP}; and with selection.implicit = 'dpo' a reference model's: `evolve score ... --reference MODEL`"
_ALL_N = "take grown data, or existing data with all responses: a dataset of pairs alone does not have them"
_BOUNDS = (
    "let several reward models score the responses, with reward.ensemble: where they differ is the width; or one that "
    "gives a distribution, as nicolinho/QRM-Llama3.1-8B does"
)

INPUTS = {
    "score_chosen": Input("the reward r of the chosen response", _SCORES),
    "score_rejected": Input("the reward r of the rejected response", _SCORES),
    "scores": Input("the rewards of all n responses, NaN where there is none", _ALL_N, "(pairs, n)"),
    "lower": Input(
        "lower bounds of these: one deviation of the reward models, or of the quantiles of one, below",
        _BOUNDS,
        "(pairs, n)",
    ),
    "upper": Input("upper bounds of these: one deviation above", _BOUNDS, "(pairs, n)"),
    "logp_chosen": Input("sum of log pi(y|x) of the chosen response, nats", _LOGP),
    "logp_rejected": Input("sum of log pi(y|x) of the rejected response, nats", _LOGP),
    "n_tokens_chosen": Input("|y| of the chosen response", _LOGP),
    "n_tokens_rejected": Input("|y| of the rejected response", _LOGP),
    "ref_logp_chosen": Input("sum of log pi_ref(y|x) of the chosen response, nats", _REFERENCE),
    "ref_logp_rejected": Input("sum of log pi_ref(y|x) of the rejected response, nats", _REFERENCE),
    "implicit_chosen": Input("the implicit reward r_hat, as selection.implicit has it, of the chosen", _IMPLICIT),
    "implicit_rejected": Input("the implicit reward of the rejected", _IMPLICIT),
    "scale": Input("sigma_r and sigma_pi over the ranked set", _LOGP, "one"),
    "alpha": Input("selection.alpha; where it is auto, the one that was found", "", "one"),
    "pair_ids": Input("the ids of the pairs, text", "", "(pairs,)"),
    "seed": Input("sampling.seed", "", "one"),
}
PER_PAIR = frozenset(name for name, one in INPUTS.items() if one.shape == "(pairs,)" and name != "pair_ids")
