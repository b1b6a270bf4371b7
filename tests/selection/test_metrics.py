"""Every metric by cases worked by hand, the limits of alpha, and the sets on which a metric says nothing."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from metric_inputs import PAIRS, by, drawn, known
from selection import INPUTS, METRICS, Scale, metric_of, scale_of, score, top_k
from selection.metrics import implicit_reward, pair, prompt

UNIT = Scale(1.0, 1.0)
# The paper's three examples: r_w, r_l, r_hat_w, r_hat_l, then M_r, M_pi, M_+ (None: not printed) and M_AP as there.
EXAMPLES: dict[str, tuple[float, float, float, float, float, float, float | None, float]] = {
    "zulu": (11.2, 5.0, -8.9, -3.4, 6.2, 5.5, 11.7, 0.7),
    "tabasco": (10.3, 3.4, -1.4, -7.7, 6.9, 6.3, None, 0.6),
    "game": (13.7, 13.0, -3.7, -2.9, 0.7, 0.8, None, -0.1),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_papers_examples(name: str) -> None:
    r_w, r_l, hat_w, hat_l, m_r, m_pi, m_plus, m_ap = EXAMPLES[name]
    rewards, hats = (np.array([r_w]), np.array([r_l])), (np.array([hat_w]), np.array([hat_l]))
    assert pair.eva(*rewards) == pytest.approx([m_r])
    assert pair.implicit(*hats) == pytest.approx([-m_pi])
    assert pair.alignment_potential(*rewards, *hats, UNIT, 1.0) == pytest.approx([m_ap])
    if m_plus is not None:
        assert pair.m_plus(*rewards, *hats) == pytest.approx([m_plus])
        assert pair.m_1(*rewards, *hats) == pytest.approx([m_plus])


FROZEN = {
    "map": [2 / 0.75 - 2 / 0.15 * 0.2, 0.5 / 0.75 - 2 / 0.15 * 0.5],
    "map-signed": [2 / 0.75 - 2 / 0.15 * 0.2, 0.5 / 0.75 + 2 / 0.15 * 0.5],
    "eva": [2.0, 0.5],
    "implicit": [-0.2, -0.5],
    "m-plus": [1.8, 1.0],
    "m-1": [1.8, 1.0],
    # sigmoid(1.4) * (1 - sigmoid(10 * 0.2 - 1))^3 and sigmoid(0.35) * (1 - sigmoid(10 * -0.5 - 1))^3
    "uni-dpo": [0.8021838885585817 * 0.2689414213699951**3, 0.5866175789173301 * 0.9975273768433653**3],
    "dpo-gap": [-((-10 + 12) - (-24 + 23)), -((-30 + 29) - (-10 + 12))],  # -3 and 3
    "gap": [2.0, 0.5],
    "maxmean": [1.0, 0.25],
    "var": [2 / 3, 0.0625],
    "dts": [1.0, 0.5],
    "mean": [2.0, 0.75],
    "mean-inv": [-2.0, -0.75],
    # differences 1, 1, 2 of three, each twice: (2 (0.2310585786)^2 + (0.3807970780)^2) / 3; and (sigmoid(0.5) - 1/2)^2
    "pvar": [(2 * 0.2310585786300049**2 + 0.3807970779778823**2) / 3, 0.12245933120185457**2],
    "delta-ucb": [3.5, 1.6],  # 4 - 0.5; 2 - 0.4
}


@pytest.mark.parametrize("name", FROZEN)
def test_published_formulas_on_pairs_worked_by_hand(name: str) -> None:
    assert score(metric_of(name), PAIRS) == pytest.approx(FROZEN[name], rel=1e-12)


def test_every_metric_has_a_case_an_equation_and_a_source() -> None:
    assert set(FROZEN) | {"uniform"} == set(METRICS)
    for name, function in METRICS.items():
        text = inspect.getdoc(function) or ""
        assert len(text) > 40, name
        assert name == "uniform" or "Source:" in text, name
        body = inspect.getsource(function).partition('"""')[2].partition('"""')[2].strip().splitlines()
        assert len(body) < 10, name
        assert set(metric_of(name).inputs) <= set(INPUTS)


def test_m_plus_is_signed_and_m_1_is_not() -> None:
    wrong = PAIRS | {"score_chosen": np.array([1.0, 0.0]), "score_rejected": np.array([3.0, 1.0])}
    assert score(metric_of("m-plus"), wrong) == pytest.approx([-2.2, -0.5])
    assert score(metric_of("m-1"), wrong) == pytest.approx([2.2, 0.5])
    assert score(metric_of("map-signed"), wrong)[0] == pytest.approx(2 / 0.75 - 2 / 0.15 * 0.2)  # |r_w - r_l| stays


def test_implicit_rewards_in_both_forms() -> None:
    logp, n_tokens, reference = np.array([-10.0, -30.0]), np.array([10, 20]), np.array([-12.0, -29.0])
    assert implicit_reward.simpo(logp, n_tokens, 2.0) == pytest.approx([-2.0, -3.0])
    assert implicit_reward.dpo(logp, reference, 0.1) == pytest.approx([0.2, -0.1])
    assert implicit_reward.dpo(logp, logp).tolist() == [0.0, 0.0]  # a policy against itself says nothing


def test_pvar_is_an_eighth_of_the_variance_for_small_spreads_and_knows_its_unit() -> None:
    scores = np.array([[0.0, 0.01, -0.02, 0.03, 0.005]])
    assert prompt.pvar(scores) * 8 == pytest.approx(np.var(scores) * 5 / 4, rel=1e-3)  # over i != j
    assert prompt.pvar(scores * 7, temperature=7.0) == pytest.approx(prompt.pvar(scores))
    assert prompt.pvar(scores * 1e9) == pytest.approx([0.25])


def test_delta_ucb_never_takes_both_bounds_of_one_response() -> None:
    lower, upper = np.array([[0.0, 5.0]]), np.array([[9.0, 6.0]])
    assert prompt.delta_ucb(lower, upper) == pytest.approx([6.0])  # 6 - 0, not 9 - 0


def test_uni_dpo_does_not_overflow() -> None:
    far = PAIRS | {"logp_chosen": np.array([-1e6, 0.0]), "logp_rejected": np.array([0.0, -1e6])}
    assert score(metric_of("uni-dpo"), far) == pytest.approx([0.8021838885585817, 0.0])


def test_margins_are_absolute_whoever_won() -> None:
    explicit, hidden = np.array([-2.0, 2.0]), np.array([0.5, -0.5])
    assert by("eva", explicit, hidden).tolist() == [2.0, 2.0]
    assert by("implicit", explicit, hidden).tolist() == [-0.5, -0.5]
    assert by("map", explicit, hidden, scale=UNIT, alpha=1.0).tolist() == [1.5, 1.5]


def test_alignment_potential_is_scaled_by_both_deviations() -> None:
    """M_r 1, 3 (sigma 1) and M_pi 0.2, 0.6 (sigma 0.2): 1/1 - 2.5/0.2 * 0.2 = -1.5 and 3/1 - 2.5/0.2 * 0.6 = -4.5."""
    explicit, hidden = np.array([1.0, 3.0]), np.array([0.2, 0.6])
    assert scale_of(explicit, hidden) == Scale(pytest.approx(1.0), pytest.approx(0.2))
    assert by("map", explicit, hidden) == pytest.approx([-1.5, -4.5])


def test_deviations_are_those_of_the_population() -> None:
    """Of 2, 4, 4, 4, 5, 5, 7, 9 the mean is 5 and the squared deviations sum to 32: sqrt(32 / 8) = 2."""
    margins = np.array([2.0, 4, 4, 4, 5, 5, 7, 9])
    assert scale_of(margins, margins / 10) == Scale(pytest.approx(2.0), pytest.approx(0.2))


def test_alpha_moves_the_ranking_from_eva_to_implicit() -> None:
    explicit, hidden = drawn(300, seed=3)
    ids = known(explicit, hidden)["pair_ids"]

    def ranked(metric: str, alpha: float = 1.0) -> list[int]:
        return top_k(by(metric, explicit, hidden, alpha=alpha), ids, "100%").tolist()

    assert ranked("map", 0.0) == ranked("map", 1e-9) == ranked("eva")
    assert ranked("map", 1e9) == ranked("implicit")
    between = ranked("map", 2.5)
    assert between != ranked("eva")
    assert between != ranked("implicit")


def test_units_of_rewards_and_beta_do_not_matter_to_m_ap() -> None:
    explicit, hidden = drawn(100, seed=4)
    assert by("map", explicit * 40, hidden / 7) == pytest.approx(by("map", explicit, hidden))


def test_uniform_depends_on_ids_and_seed_alone() -> None:
    explicit, hidden = drawn(200, seed=5)
    ids = known(explicit, hidden)["pair_ids"]

    def scores(order: list[str], seed: int = 0, factor: float = 1.0) -> dict[str, float]:
        found = by("uniform", explicit * factor, hidden, pair_ids=order, seed=seed)
        return dict(zip(order, found.tolist(), strict=True))

    assert scores(ids) == scores(ids[::-1]) == scores(ids, factor=9.0)
    assert scores(ids) != scores(ids, seed=1)
    values = pair.uniform(ids, 0)
    assert len(set(values.tolist())) == 200
    assert (values >= 0).all()
    assert (values < 1).all()
    assert 0.4 < values.mean() < 0.6
