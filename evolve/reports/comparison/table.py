"""A comparison for the terminal: what is most unlike first, then a table for each question, 80 columns for five arms."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from prompts.display import shown

MARKS = "▲▼"  # above and below what random selections have
PLAIN_MARKS = "^v"  # for a terminal that has no such signs
NARROWEST = 80
MOST_IN_COLUMNS = 5  # arms that all others are held against; of more, the first alone
HEADINGS = {
    "parents": "distinct parents",
    "tokens_chosen": "tokens chosen",
    "tokens_rejected": "tokens rejected",
    "longer_chosen": "longer chosen",
    "length_reward": "length ~ reward",
    "disagreement": "signs differ",
    "reward_chosen": "reward chosen",
    "reward_rejected": "reward rejected",
    "reward_all": "reward all n",
}
SHARES = {"longer_chosen", "disagreement", "yield"}
SETS = {"dataset": "all of D", "additional": "all of D'"}

Row = list[str]


def as_text(told: dict[str, Any], *, width: int = 100, marks: str = MARKS) -> str:
    """What `compare` tells, in lines of at most `width` (at least 80), with `marks` for above and below random."""
    arms, tables = told["arms"], _Tables(told, max(width, NARROWEST), marks)
    random = told["random"]
    blocks = [
        f"{shown(told['run'], one_line=True)}, iteration {told['iteration']}: what is selected, beside "
        f"{random['selections']} random selections of the same size (seed {random['seed']})\n" + _headline(told),
        tables.overlaps() if len(arms) > 1 else "",
        tables.metrics(),
        tables.pairs(),
        tables.strategies("yield", "Yield: selected pairs of each strategy, over its rewrites that were asked for"),
        tables.strategies("reward_all", "Mean reward of all responses to the selected prompts, by strategy"),
        f"{marks[0]} above, {marks[1]} below what {random['level']:.0%} of random selections have; unmarked: as random."
        " `random` is\ntheir mean and that range. Each figure is explained in docs/compare.md; --json has all of them.",
        "\n".join(f"Left out: {one['arm']}: {one['why']}" for one in told["left_out"]),
        "\n".join(f"No mean of {name}: {why}" for name, why in told["metrics_unknown"].items()),
    ]
    return "\n\n".join(block for block in blocks if block)


def _headline(told: dict[str, Any]) -> str:
    """In a line each: which arm is most unlike the others, and by how much each differs from random."""
    lines = []
    alike: dict[str, list[float]] = {}
    control = [one["jaccard"]["random"] for one in told["overlaps"] if one["jaccard"]["random"]]
    for one in told["overlaps"]:
        for name in one["arms"]:
            alike.setdefault(name, []).append(one["jaccard"]["value"] or 0.0)
    if len(told["arms"]) > 2:
        name = min(alike, key=lambda one: statistics.mean(alike[one]))
        of_random = f"; of random ones {statistics.mean(one['mean'] for one in control):.2f}" if control else ""
        lines.append(f"Most unlike the others: {name} (mean Jaccard {statistics.mean(alike[name]):.2f}{of_random}).")
    counted = [(arm["name"], _standings(arm)) for arm in told["arms"]]
    said = [f"{name} {sum(map(bool, found))} of {len(found)}" for name, found in counted if found]
    if said:
        lines.append(f"Figures beyond those of random selections: {', '.join(said)}.")
    elif all(not found for _, found in counted):
        lines.append("No random selection stands beside these: it would need rows that are not in the pool.")
    return "\n".join(lines)


def _standings(arm: dict[str, Any]) -> list[int]:
    """Where an arm's figures stand to random, those that can differ."""
    selected = arm["sets"]["selected"]
    found = [*selected["metrics"].values(), *(selected["figures"][name] for name in HEADINGS)]
    return [one["standing"] for one in found if one["standing"] is not None]


class _Tables:
    """The tables of a comparison as text."""

    def __init__(self, told: dict[str, Any], width: int, marks: str) -> None:
        self._told, self._arms, self._width, self._marks = told, told["arms"], width, marks

    def overlaps(self) -> str:
        against = self._arms if len(self._arms) <= MOST_IN_COLUMNS else self._arms[:1]
        numbers = [str(n + 1) for n in range(len(against))]
        heading = ["selected by", "pairs", *(f"J {n}" for n in numbers), *(f"rho {n}" for n in numbers)]
        pairs = {frozenset(one["arms"]): one for one in self._told["overlaps"]}
        rows = []
        for number, arm in enumerate(self._arms):
            of = [pairs.get(frozenset((arm["name"], other["name"]))) for other in against]
            cells = [self._cell(one and one[kind], _two) for kind in ("jaccard", "rank_correlation") for one in of]
            rows.append([f"{number + 1} {arm['name']}", f"{arm['selected']:,}", *cells])
        control: Row = ["random", ""]
        for kind in ("jaccard", "rank_correlation"):
            for other in against:
                found = [one[kind] for one in self._told["overlaps"] if other["name"] in one["arms"] and one[kind]]
                of_random = found[0]["random"] if found else None
                control.append(f"{_two(of_random['mean'])} " if of_random else "")
        title = "Overlap: J n is the Jaccard index of the selected pairs with arm n, rho n the rank correlation"
        return self._table(title, heading, [*rows, control] if any(control[2:]) else rows)

    def metrics(self) -> str:
        names, sigma = self._told["metrics"], self._told["sigma"]
        there = [name for name in names if name not in self._told["metrics_unknown"]]
        rows = self._rows(lambda of: [of["metrics"].get(name) for name in there], [_four] * len(there))
        also = [
            self._row(f"D + {arm['name']}", [arm["sets"]["train"]["metrics"].get(name) for name in there], _four)
            for arm in self._arms
            if arm["sets"]["train"] != arm["sets"]["selected"]
        ]
        over = {"dataset": "D", "dataset and additional": "D and D'"}[sigma["over"]]
        scale = ", ".join(f"{key} {_four(sigma[key])}" for key in ("sigma_r", "sigma_pi") if sigma[key] is not None)
        title = f"Mean of each metric, on one scale ({scale} of {over})"
        return self._table(title, ["selected by", *there], [*rows, *also]) if there else ""

    def pairs(self) -> str:
        show = [_percent if name in SHARES else _count if name == "parents" else _three for name in HEADINGS]
        rows = self._rows(lambda of: [of["figures"][name] for name in HEADINGS], show)
        return self._table(
            "Parents, lengths and rewards of the selected pairs", ["selected by", *HEADINGS.values()], rows
        )

    def strategies(self, figure: str, title: str) -> str:
        strategies = dict.fromkeys(name for arm in self._arms for name in arm["sets"]["selected"]["strategies"])
        if len(strategies) < 2:
            return ""
        show = _percent if figure in SHARES else _three
        rows = self._rows(
            lambda of: [of["strategies"].get(name, {}).get(figure) for name in strategies], [show] * len(strategies)
        )
        return self._table(title, ["selected by", *(name.replace("_", " ") for name in strategies)], rows)

    def _rows(self, pick: Callable[[dict[str, Any]], list[Any]], show: Sequence[Callable[[float], str]]) -> list[Row]:
        """A row an arm, with a row of random selections behind the last arm of an algorithm and guard; then D', D."""
        rows: list[Row] = []
        for at, arm in enumerate(self._arms):
            entries = pick(arm["sets"]["selected"])
            rows.append([arm["name"], *(self._cell(one, how) for one, how in zip(entries, show, strict=True))])
            following = self._arms[at + 1] if at + 1 < len(self._arms) else None
            if following is None or _group(following) != _group(arm):
                rows += _control_rows(entries, show)
        guards = {one["guard"] for one in self._told["sets"]}
        for one in reversed(self._told["sets"]):
            name = SETS[one["set"]] + (f" ({one['guard']})" if len(guards) > 1 else "")
            cells = [self._cell(entry, how) for entry, how in zip(pick(one), show, strict=True)]
            rows += [[name, *cells]] if any(cells) else []
        return rows

    def _row(self, name: str, entries: Sequence[Any], show: Callable[[float], str]) -> Row:
        return [name, *(self._cell(entry, show) for entry in entries)]

    def _cell(self, entry: dict[str, Any] | None, show: Callable[[float], str]) -> str:
        if entry is None:
            return ""
        if entry["value"] is None:
            return "- "
        return show(entry["value"]) + {1: self._marks[0], -1: self._marks[1]}.get(entry["standing"], " ")

    def _table(self, title: str, heading: Row, rows: Sequence[Row]) -> str:
        """The rows under their title; columns that do not fit beside each other follow below, with the names again."""
        wide = [max(map(len, [*name.split(), *(row[at] for row in rows)])) + 2 for at, name in enumerate(heading)]
        parts: list[list[int]] = [[]]
        for at in range(1, len(heading)):
            if parts[-1] and wide[0] + sum(wide[one] for one in parts[-1]) + wide[at] > self._width:
                parts.append([])
            parts[-1].append(at)
        tables = [
            self._lines([heading[0], *(heading[i] for i in part)], [[r[0], *(r[i] for i in part)] for r in rows])
            for part in parts
        ]
        return "\n".join([title, *tables])

    def _lines(self, heading: Row, rows: Sequence[Row]) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for at, name in enumerate(heading):
            table.add_column(name, justify="right" if at else "left", no_wrap=not at, vertical="bottom")
        for row in rows:
            table.add_row(*(shown(cell, one_line=True) for cell in row))
        out = io.StringIO()
        Console(file=out, width=self._width, color_system=None, markup=False, emoji=False, highlight=False).print(table)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _group(arm: dict[str, Any]) -> tuple[str, str]:
    return arm["algorithm"], arm["guard"]


def _control_rows(entries: Sequence[Any], show: Sequence[Callable[[float], str]]) -> list[Row]:
    """What random selections have: their mean, and how far from it the bounds are. No row where there are none."""
    found = [(one and one["random"], how) for one, how in zip(entries, show, strict=True)]
    if not any(one for one, _ in found):
        return []
    means = [f"{how(one['mean'])} " if one else "" for one, how in found]
    return [
        ["random", *means],
        ["     ±", *(f"{how(one['high'] - one['mean'])} " if one else "" for one, how in found)],
    ]


def _two(value: float) -> str:
    return f"{value:.2f}"


def _three(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _four(value: float) -> str:
    return f"{value:.4g}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%" if abs(value) < 0.1 else f"{value:.0%}"
