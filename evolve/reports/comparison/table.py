"""The comparison for a terminal: what each arm selects beside random selections, how alike the arms are, strategies."""

from __future__ import annotations

from typing import Any

from prompts.display import shown

MARKS = {1: "^", -1: "v", 0: " ", None: " "}  # above, below, within what random selections have
WIDTH = 11
HEADS = {
    "parents": "parents",
    "reward_chosen": "r chosen",
    "reward_rejected": "r rejected",
    "tokens_chosen": "|chosen|",
    "tokens_rejected": "|rejected|",
    "length_reward": "len~reward",
    "disagreement": "disagree",
}


def text_of(found: dict[str, Any]) -> str:
    """All of it, in lines of 120 characters at most where there are no more than four metrics."""
    names = [shown(one["name"], one_line=True) for one in found["arms"]]
    width = max(map(len, [*names, "random, as many"])) + 2
    random = found["random"]
    blocks = [
        [
            f"What each selects of {shown(found['run'], one_line=True)}, iteration {found['iteration']}.",
            f"^ above, v below: beyond 95% of the random selections of its size, told from {random['selections']}.",
            *_figures(found, names, width),
        ],
        ["Mean of each metric on one sigma:", *_metrics(found, names, width)],
    ]
    if len(names) > 1:
        blocks.append(
            ["Alike: Jaccard of the selected pairs, then rank correlation of the order:", *_alike(found, names, width)]
        )
    blocks.append(["By strategy: pairs selected, of the prompts asked for, mean reward of all n:", *_strategies(found)])
    if found["left_out"]:
        blocks.append([f"Not compared: {one['arm']}: {one['why']}" for one in found["left_out"]])
    unknown = [f"{name} says nothing here: {why}" for name, why in found["metrics_unknown"].items()]
    return "\n\n".join("\n".join(lines) for lines in [*blocks, *([unknown] if unknown else [])])


def _figures(found: dict[str, Any], names: list[str], width: int) -> list[str]:
    lines = ["".join([f"{'':<{width}}", f"{'pairs':>8}", *(f"{head:>{WIDTH}}" for head in HEADS.values())])]
    for one in found["sets"]:
        title = {"dataset": "D", "additional": "D'"}[one["set"]]
        lines.append(_row(title, one["figures"], HEADS, width))
    for name, arm in zip(names, found["arms"], strict=True):
        lines.append(_row(name, arm["sets"]["selected"]["figures"], HEADS, width))
    lines.append(_row("random, as many", _control(found["arms"][0]["sets"]["selected"]["figures"]), HEADS, width))
    return lines


def _metrics(found: dict[str, Any], names: list[str], width: int) -> list[str]:
    metrics = [name for name in found["metrics"] if name not in found["metrics_unknown"]]
    lines = [
        "".join([f"{'':<{width}}", *(f"{shown(one, one_line=True):>{max(WIDTH, len(one) + 2)}}" for one in metrics)])
    ]
    rows = [({"dataset": "D", "additional": "D'"}[one["set"]], one["metrics"]) for one in found["sets"]]
    for name, arm in zip(names, found["arms"], strict=True):
        rows.append((name, arm["sets"]["selected"]["metrics"]))
        rows.append(("  with D", arm["sets"]["train"]["metrics"]))
    for title, figures in rows:
        cells = (f"{_cell(figures[one]):>{max(WIDTH, len(one) + 2)}}" for one in metrics)
        lines.append("".join([f"{title:<{width}}", *cells]).rstrip())
    return lines


def _alike(found: dict[str, Any], names: list[str], width: int) -> list[str]:
    known = {tuple(one["arms"]): one for one in found["overlaps"]}
    titles = [one["name"] for one in found["arms"]]
    lines = []
    for i, name in enumerate(names[1:], 1):
        cells = []
        for j in range(i):
            one = known[titles[j], titles[i]]
            order = one["rank_correlation"]
            told = "" if order is None or order["value"] is None else f" {order['value']:+.2f}"
            share = one["jaccard"]["value"]
            cells.append(f"{'-' if share is None else f'{share:.2f}'}{MARKS[one['jaccard']['standing']]}{told}")
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>16}" for cell in cells))
    return [f"{'':<{width}}" + "".join(f"{name[:14]:>16}" for name in names[:-1]), *lines]


def _strategies(found: dict[str, Any]) -> list[str]:
    arms = [(one["name"], one["sets"]["selected"]["strategies"]) for one in found["arms"]]
    every = list(dict.fromkeys(name for _, of in arms for name in of))
    width = max([len(name) for name in every] + [8]) + 2
    lines = [f"{'':<{width}}" + "".join(f"{shown(name, one_line=True)[:20]:>22}" for name, _ in arms)]
    for name in every:
        cells = []
        for _, of in arms:
            one = of.get(name)
            if one is None:
                cells.append("-")
                continue
            share, reward = one["yield"]["value"], one["reward_all"]["value"]
            told = f"{one['pairs']['value']:,.0f}{MARKS[one['pairs']['standing']]}"
            told += f" {share:.0%}" if share is not None else ""
            cells.append(told + (f" {reward:.3g}{MARKS[one['reward_all']['standing']]}" if reward is not None else ""))
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>22}" for cell in cells))
    return lines


def _control(figures: dict[str, Any]) -> dict[str, Any]:
    """What the random selections have on average, as figures of their own."""
    means = {name: one["random"] and one["random"]["mean"] for name, one in figures.items()}
    return {name: {"value": value, "standing": None} for name, value in means.items()}


def _row(title: str, figures: dict[str, Any], wanted: dict[str, str], width: int) -> str:
    pairs = figures["pairs"]["value"]
    cells = [f"{title:<{width}}", f"{'-' if pairs is None else f'{pairs:,.0f}':>8}"]
    return "".join([*cells, *(f"{_cell(figures[name]):>{WIDTH}}" for name in wanted)]).rstrip()


def _cell(one: dict[str, Any]) -> str:
    value = one["value"]
    if value is None:
        return "- "
    told = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return told + MARKS[one["standing"]]
