"""A user's own metric: found in the working directory or installed, by its signature, with its code's identity."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from prompts.errors import UserError
from selection import metric_of, score
from selection.metrics.own import is_own

GOOD = """
import numpy as np

def shorter(score_chosen, score_rejected, n_tokens_chosen, *, per_token=0.5):
    return score_chosen - score_rejected - per_token * n_tokens_chosen

def of_all(scores): return np.nanmax(scores, axis=1)
def unknown_input(score_chosen, rewards): return score_chosen
def takes_all(*arrays): return arrays[0]
def no_number(score_chosen, *, how="fast"): return score_chosen
def no_inputs(): return np.zeros(2)
def raises(score_chosen): return {}["gone"]
def one_number(score_chosen): return score_chosen.sum()
def not_finite(score_chosen): return score_chosen * np.nan
VALUE = 3
"""
KNOWN = {
    "pair_ids": ["a", "b"],
    "score_chosen": np.array([3.0, 1.0]),
    "score_rejected": np.array([1.0, 0.5]),
    "n_tokens_chosen": np.array([10, 20]),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_metrics.py").write_text(GOOD)
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] in ("my_metrics", "mine", "broken", "needy")]:
        del sys.modules[name]


def test_a_function_of_the_working_directory() -> None:
    metric = metric_of("my_metrics:shorter")
    assert metric.inputs == ("score_chosen", "score_rejected", "n_tokens_chosen")
    assert metric.parameters == {"per_token": 0.5}
    assert score(metric, KNOWN).tolist() == [2 - 5, 0.5 - 10]
    assert score(metric, KNOWN, {"per_token": 0.0}).tolist() == [2.0, 0.5]
    with pytest.raises(UserError, match=r"'my_metrics:of_all' needs scores .*, which is missing: take grown data"):
        score(metric_of("my_metrics:of_all"), KNOWN)


def test_a_changed_function_is_another_metric_at_once(here: Path) -> None:
    before = metric_of("my_metrics:shorter")
    (here / "my_metrics.py").write_text(GOOD.replace("score_chosen - score_rejected -", "0 * score_chosen -"))
    after = metric_of("my_metrics:shorter")
    assert after.identity != before.identity
    assert score(after, KNOWN).tolist() == [-5, -10]
    (here / "my_metrics.py").write_text(GOOD)
    assert metric_of("my_metrics:shorter").identity == before.identity


def test_a_function_of_a_package(here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "__init__.py").write_text("")
    (here / "mine" / "better.py").write_text("from my_metrics import shorter\n")
    assert score(metric_of("mine.better:shorter"), KNOWN).tolist() == [-3, -9.5]
    assert not list(here.rglob("*.pyc"))


def test_an_installed_function_has_the_version_of_its_package() -> None:
    import numpy.lib.array_utils as installed

    with pytest.raises(UserError, match=r"asks for .*: inputs there are score_chosen"):
        metric_of("numpy.lib.array_utils:byte_bounds")
    assert installed is sys.modules["numpy.lib.array_utils"]  # what others imported stays as it is
    from selection.metrics.own import load

    assert f"numpy {np.__version__}" in load("numpy.lib.array_utils:byte_bounds")[1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gone:metric", r"no module gone\. Expected gone\.py in the working directory"),
        ("my_metrics.deeper:metric", r"no module my_metrics\.deeper"),
        ("my_metrics:gone", r"my_metrics has no function gone\. It has: .*shorter"),
        ("my_metrics:VALUE", r"has no function VALUE"),
        ("my_metrics:unknown_input", r"asks for rewards: inputs there are score_chosen, .*scores"),
        ("my_metrics:takes_all", r"expected inputs by name"),
        ("my_metrics:no_inputs", r"expected inputs by name .* at least one"),
        ("my_metrics:no_number", r"its parameter how has no number for a default"),
        ("broken:metric", r"broken can't be imported \(SyntaxError"),
        ("needy:metric", r"needy imports no_such_package, which is not there"),
    ],
)
def test_what_is_wrong_is_named(name: str, told: str, here: Path) -> None:
    (here / "broken.py").write_text("def metric(:\n")
    (here / "needy.py").write_text("import no_such_package\n")
    with pytest.raises(UserError, match=told):
        metric_of(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("raises", r"'my_metrics:raises' failed: KeyError: 'gone'"),
        ("one_number", r"gave an array of shape \(\): expected one score a pair, \(2,\)"),
        ("not_finite", r"gave 2 of 2 pairs a score that is not a finite number"),
    ],
)
def test_what_fails_on_a_set_is_named(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        score(metric_of(f"my_metrics:{name}"), KNOWN)


@pytest.mark.parametrize("name", ["map", "a b:c", "a:", ":b", "a:b:c", "../a:b", "a.py:b.c", "os;x:y", "a..b:c"])
def test_what_is_no_name_of_a_function(name: str) -> None:
    assert not is_own(name)
