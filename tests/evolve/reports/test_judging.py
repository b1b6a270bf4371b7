"""`evolve judge` on a run, with a judge that follows a rule behind a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evolve.cli.program import app
from evolve.pool.pool import Pool
from evolve.recipe.stored import stored_recipe
from evolve.reports.agreement import judged_selections, sample_of, text_of_figures
from evolve.run import Run
from fake_runs import Made
from judge_server import Server
from prompts.errors import UserError

pytest.importorskip("openai")


class Rule:
    """A judge that agrees with the reward model on 7 of 10 pairs, contradicts it on 2, and takes the first on 1."""

    def __init__(self, run: Path) -> None:
        self.better: dict[tuple[str, str], str] = {}
        for metric in ("map", "eva"):
            one = Run(stored_recipe(run, 1, {"selection.metric": metric}), run, view_only=True)
            rows = one.execute().selected.rows
            texts = one.texts.fetch([*rows["chosen_id"], *rows["rejected_id"]], ["text"])["text"].to_pylist()
            for chosen, rejected in zip(texts[: len(rows)], texts[len(rows) :], strict=True):
                if (chosen, rejected) in self.better:
                    continue
                kind = len(self.better) // 2 % 10
                best = chosen if kind < 7 else rejected if kind < 9 else ""
                self.better |= {(chosen, rejected): best, (rejected, chosen): best}
            one.pool.close()

    def __call__(self, text: str, _: int) -> tuple[int, str]:
        first, second = (text.split(f"<answer_{x}>\n")[1].split(f"\n</answer_{x}>")[0] for x in "ab")
        best = self.better[first, second]
        return 200, f"Verdict: {'B' if best == second else 'A'}"


@pytest.fixture
def server(made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    server = Server(Rule(made.run))
    yield server
    server.close()


def judged(made: Made, server: Server, metrics: tuple[str, ...] = ("map", "eva"), **options: Any) -> dict[str, Any]:
    recipes = [stored_recipe(made.run, 1, {"selection.metric": metric}) for metric in metrics]
    given: dict[str, Any] = {"model": "m", "base_url": server.url, "n": 1000, "seed": 0, "template": None}
    return judged_selections(made.run, 1, recipes, **(given | {"max_tokens": 99, "parallel": 4} | options))


def test_the_figures_are_those_of_the_rule(made: Made, server: Server) -> None:
    found = judged(made, server, model="counted")
    everything = found["all"]
    n = everything["pairs"]
    assert n >= 10
    assert everything["judged"] == n
    assert (everything["agrees"], everything["disagrees"]) == (
        sum(i % 10 < 7 for i in range(n)),
        sum(7 <= i % 10 < 9 for i in range(n)),
    )
    assert everything["undecided"] == n - everything["agrees"] - everything["disagrees"]
    share = everything["agreement"]
    assert share["low"] < share["value"] == share["k"] / share["n"] < share["high"]
    assert everything["first_place"]["k"] == n + everything["undecided"]  # one of two, and both of the undecided
    assert sum(one["agreement"]["n"] for one in found["by_margin"]) == share["n"]
    first, second = found["selections"]
    (difference,) = found["differences"]
    assert difference["value"] == pytest.approx(first["agreement"]["value"] - second["agreement"]["value"])
    assert first["sampled"] + second["sampled"] - difference["shared"] == n
    told = text_of_figures(found)
    assert f"{share['value']:.1%} [" in told
    assert all(len(line) <= 120 for line in told.splitlines())


def test_nothing_is_asked_twice(made: Made, server: Server) -> None:
    first = judged(made, server, ("map",), model="once")
    assert first["asked_now"] == len(server.requests) == 2 * first["all"]["pairs"]
    both = judged(made, server, model="once")
    assert len(server.requests) == 2 * both["all"]["pairs"]
    assert judged(made, server, model="once")["asked_now"] == 0
    assert len(set(server.texts)) == len(server.texts)
    assert judged(made, server, ("map",), model="another")["asked_now"] == first["asked_now"]


def test_a_server_that_dies_costs_only_what_it_did_not_answer(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    rule = Rule(made.run)
    dying = Server(lambda text, n: rule(text, n) if n <= 5 else (401, "no more money"))
    whole = Server(rule)
    with pytest.raises(UserError, match="no more money"):
        judged(made, dying, ("map",), base_url=dying.url, model="dies", parallel=1)
    # The same judge at another address is another judge: the pool is asked by the id of the first.
    pool = Pool(made.run / "pool")
    kept = [
        row
        for judge_id in pool.judge_ids()
        if pool.description("judge", judge_id).get("model") == "dies"
        for part in pool.judgements(judge_id).scan(["first_id", "verdict"])
        for row in part.to_pylist()
    ]
    pool.close()
    assert len(kept) == 5
    assert all(row["verdict"] for row in kept)
    dying.http.RequestHandlerClass = whole.http.RequestHandlerClass
    found = judged(made, dying, ("map",), model="dies", parallel=1)
    assert found["asked_now"] == 2 * found["all"]["pairs"] - 5
    assert found["all"]["judged"] == found["all"]["pairs"]
    dying.close()
    whole.close()


def test_samples_nest_and_meet(made: Made) -> None:
    selected = made.outcome.selected
    small, large = sample_of("a", selected, 4, 1), sample_of("a", selected, 8, 1)
    assert set(small.pairs.ids) < set(large.pairs.ids)
    assert len(small.pairs) == 4
    assert set(sample_of("a", selected, 4, 2).pairs.ids) != set(small.pairs.ids)
    half = selected.take(range(0, len(selected), 2))
    inside = set(large.pairs.ids) & set(half.ids)
    assert inside <= set(sample_of("b", half, 8, 1).pairs.ids)


def test_the_command_prints_json(made: Made, server: Server) -> None:
    command = ["judge", f"{made.run}/", "--model", "m", "--base-url", server.url, "--n", "3", "--json"]
    result = CliRunner().invoke(app, [*command, "--metric", "map, eva"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [one["sampled"] for one in found["selections"]] == [3, 3]


def test_own_templates_are_another_judge(made: Made, server: Server, tmp_path: Path) -> None:
    template = tmp_path / "question.txt"
    template.write_text(
        "{prompt} <answer_a>\n{first}\n</answer_a> <answer_b>\n{second}\n</answer_b> Verdict:", encoding="utf-8"
    )
    assert judged(made, server, ("map",), template=template)["asked_now"]
    with pytest.raises(UserError, match="can't be read"):
        judged(made, server, template=tmp_path / "none.txt")
