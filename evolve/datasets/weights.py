"""A metric as the column `weight` of a dataset, for a loss that weighs pairs instead of leaving them out."""

from __future__ import annotations

import numpy as np

from evolve.run import Run
from evolve.views.known import known_of, parameters_of
from evolve.views.outcome import Outcome
from selection import metric_of, score
from selection.metrics import WEIGHTS


def weights_of(run: Run, outcome: Outcome) -> dict[str, float]:
    """The weight of every pair of the training set and of what was selected, by pair id.

    A metric that is a weight by its formula is taken as it is; others are min-max-scaled to [0, 1] over these pairs.
    sigma and alpha are those of the ranked set.
    """
    rule, seed = run.recipe.selection, run.recipe.sampling.seed
    assert rule.weight is not None, "asked for where the recipe names one"
    metric, pairs = metric_of(rule.weight), outcome.train
    ids = pairs.ids
    known = known_of(pairs, run.responses, rule, seed, metric.inputs)
    known |= {"scale": outcome.ranking.scale, "alpha": outcome.ranking.alpha}
    values = score(metric, known, parameters_of(rule, metric))
    if rule.weight not in WEIGHTS and len(values):
        spread = float(np.ptp(values))
        values = (values - values.min()) / spread if spread > 0 else np.ones(len(values))
    return dict(zip(ids, values.tolist(), strict=True))
