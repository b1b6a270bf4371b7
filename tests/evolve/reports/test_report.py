"""The report's page: what is in it, and that no text of a model acts in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolve.api import Dataset
from evolve.recipe.stored import stored_recipe
from evolve.reports.figures import ALPHAS, histogram, points, selections, strategies
from evolve.reports.html import STORY_BUDGET, _spread, as_script, write_report
from evolve.reports.stories import Stories
from evolve.run import Run
from fake_runs import Made, fake_recipe, make, prompt, write_source
from prompts.errors import UserError

HOSTILE = "</script><script>window.acted = 1</script><!-- <b>& \u2028 "


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run whose prompts carry markup; the fake policy's texts are words."""
    folder = tmp_path_factory.mktemp("hostile")
    source = write_source(folder / "prompts.jsonl", [HOSTILE + prompt(i) for i in range(12)])
    return make(fake_recipe(source, name="mark.up"), folder / "run")


@pytest.fixture(scope="module")
def opened(hostile: Made) -> Iterator[Run]:
    run = Run(stored_recipe(hostile.run, 1, {}), hostile.run, view_only=True)
    run.execute()
    yield run
    run.pool.close()


class Page(HTMLParser):
    """The scripts of a page, and what stands outside them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.outside: list[str] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert name not in ("src",)
            assert not (name == "href" and value and not value.startswith(("#", "data:")))
        self._inside = tag in ("script", "style")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.outside.append(data)
        elif self.tags[-1] == "script":
            self.scripts[-1] += data


def page_of(made: Made, run: Run, out: Path) -> tuple[str, dict[str, Any]]:
    write_report(run, made.outcome, Dataset(made.folder), out)
    text = out.read_text(encoding="utf-8")
    return text, json.loads(Page(text).scripts[0])


def test_the_page_stands_alone_and_holds_every_prompt(hostile: Made, opened: Run, tmp_path: Path) -> None:
    text, data = page_of(hostile, opened, tmp_path / "report.html")
    page = Page(text)
    assert len(page.scripts) == 5, "the data, the charting library and three of ours"
    assert "connect-src" not in text
    assert "default-src 'none'" in text
    assert {story["id"] for story in data["stories"]} == {*opened.prompts, *hostile.outcome.evolved.ids}
    assert all(len(story["responses"]) == 5 for story in data["stories"] if story["pair"])
    shown = " ".join(page.outside)
    for stage, book in hostile.manifest["rows"].items():
        if stage != "train":
            assert stage.replace("_", " ") in shown
            for reason in book["dropped"]:
                assert reason.replace("_", " ") in shown


def test_no_text_of_a_prompt_is_markup(hostile: Made, opened: Run, tmp_path: Path) -> None:
    text, data = page_of(hostile, opened, tmp_path / "report.html")
    assert "window.acted" not in "".join(re.findall(r"<script>(.*?)</script>", text, re.S))
    assert "window.acted" in data["stories"][0]["messages"][-1]["content"] or any(
        "window.acted" in story["messages"][-1]["content"] for story in data["stories"]
    ), "the prompts are there, as data"
    assert text.count("</script>") == 5


def test_json_in_a_script_reads_back_the_same() -> None:
    said = {"a": HOSTILE, "b": [1.5, None, "é\U0001f600"]}
    assert json.loads(as_script(said)) == said
    assert not set("<>&\u2028") & set(as_script(said))


def test_selections_are_those_of_the_metrics(hostile: Made, opened: Run) -> None:
    """By the dataset's own metric and alpha the page marks the pairs of selected.parquet."""
    ranking = hostile.outcome.ranking
    _, at = points(opened, hostile.outcome)
    by = {(one["metric"], one["alpha"]): one for one in selections(opened, ranking, at)}
    own = by["map", opened.recipe.selection.alpha]
    marked = {ranking.ids[i] for i, mark in zip(at, own["chosen"], strict=True) if mark == "1"}
    assert marked == set(hostile.selected["pair_id"].to_pylist())
    assert own["shared"] == own["selected"] == len(marked)
    assert {alpha for metric, alpha in by if metric == "map"} == {*ALPHAS}
    eva = {i for i, mark in zip(at, by["eva", None]["chosen"], strict=True) if mark == "1"}
    least_in = min(ranking.pairs.explicit[list(eva)])
    assert all(ranking.pairs.explicit[i] <= least_in for i in set(at.tolist()) - eva)


def test_of_very_many_pairs_an_even_share_is_drawn(hostile: Made, opened: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolve.reports.figures.MOST_POINTS", 10)
    told, at = points(opened, hostile.outcome)
    assert len(at) == len(told["columns"]["texts"]) == 10 < told["of"]
    own = next(one for one in selections(opened, hostile.outcome.ranking, at) if one["shared"] == one["selected"])
    share = own["selected"] / told["of"]
    assert own["chosen"].count("1") == pytest.approx(10 * share, abs=1)


def test_of_too_many_prompts_some_of_each_kind_are_shown(
    hostile: Made, opened: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolve.reports.html.STORY_BUDGET", 40_000)
    _, data = page_of(hostile, opened, tmp_path / "report.html")
    stories = data["stories"]
    assert 5 < len(stories) < len(opened.prompts) + len(hostile.outcome.evolved.ids)
    assert any(story["pair"] and story["pair"]["selected"] for story in stories)
    assert any(story["pair"] and story["pair"]["selected"] is False for story in stories)
    ids = [story["id"] for story in stories]
    assert all(story["parent"] in ids for story in stories if story["parent"]), "a rewrite comes with its parent"
    assert STORY_BUDGET < 5_000_000


def test_a_spread_is_even_wherever_it_is_cut() -> None:
    ids = [str(i) for i in range(100)]
    order = [int(one) for one in _spread(ids)]
    assert sorted(order) == list(range(100))
    for n in (4, 10, 33):
        gaps = np.diff(sorted(order[:n]))
        assert gaps.max() <= 4 * 100 / n


def test_strategies_account_for_all_prompts_and_pairs(hostile: Made, opened: Run) -> None:
    told = strategies(opened, hostile.outcome)
    assert sum(one["prompts"] for one in told) == len(opened.prompts) + len(hostile.outcome.evolved.ids)
    assert sum(one["pairs"] for one in told) == len(hostile.outcome.dataset) + len(hostile.outcome.additional)
    assert sum(one["selected"] for one in told) == len(hostile.selected)
    assert all(one["mean_best"] > one["mean_reward"] for one in told)


def test_histograms_count_everything_that_is_a_number() -> None:
    told = histogram({"a": np.array([0.0, 1.0, np.nan, 5.0]), "b": np.array([100.0])})
    assert sum(told["counts"]["a"]) == 3
    assert sum(told["counts"]["b"]) == 1
    assert histogram({"a": np.zeros(0)}) == {"edges": [], "counts": {"a": []}}
    assert sum(histogram({"a": np.ones(7)})["counts"]["a"]) == 7


def test_stories_say_why_there_is_no_pair_as_the_books_do(made: Made) -> None:
    run = Run(stored_recipe(made.run, 1, {}), made.run, view_only=True)
    outcome = run.execute()
    stories = Stories(run, outcome)
    found: dict[str, int] = {}
    for prompt_id in stories.ids:
        story = stories.of(prompt_id)
        if story["pair"] is None:
            found[story["reason"]] = found.get(story["reason"], 0) + 1
    expected = outcome.dataset.dropped + outcome.additional.dropped
    assert found == dict(expected)
    kept = [one for story in map(stories.of, run.prompts) for one in story["rewrites"]]
    assert sum(one["verdict"] == "kept" for one in kept) == len(outcome.evolved.ids)
    assert len(kept) == outcome.evolved.n_in
    run.pool.close()


def test_a_file_of_another_kind_is_not_replaced(hostile: Made, opened: Run, tmp_path: Path) -> None:
    out = tmp_path / "notes.html"
    out.write_text("my notes")
    with pytest.raises(UserError, match=r"no report.*--force"):
        write_report(opened, hostile.outcome, Dataset(hostile.folder), out)
    assert out.read_text() == "my notes"
    write_report(opened, hostile.outcome, Dataset(hostile.folder), out, force=True)
    write_report(opened, hostile.outcome, Dataset(hostile.folder), out)
    assert "evolve-select report" in out.read_text(encoding="utf-8")
