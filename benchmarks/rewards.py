"""How fast reward annotation is, each step against the one before, on one model and the same texts.

    python -m benchmarks.rewards                         # a small random ArmoRM, lengths drawn log-normally
    python -m benchmarks.rewards --size 0.6b --prompts 6 # of the size of the smallest published reward models
    python -m benchmarks.rewards --data pairs.jsonl      # real texts: prompt with chosen and rejected, or response
    python -m benchmarks.rewards --size 8b --prompts 64  # on a GPU: a random backbone of an 8B model's size, bfloat16
    python -m benchmarks.rewards --model FOLDER          # a checkpoint of your own

All but the last need PYTHONPATH=tests: random checkpoints are made by the tests' tiny_models.

Steps: one row at a time; 20 rows in file order, padded (both with the stock backbone, as published scripts do it); rows
sorted by length under a token budget, padded; packed without padding; on a CPU in float32 the same with oneDNN's
products; packed with each prompt computed once. All from texts to scores, in turn (A B C D E, A B C D E, ...), medians
of the rounds. "CPU s" is the time that the process had on the processors: where other programs share the machine it
varies less than the clock's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.texts import from_file, generated
from generation.forward.onednn import has_onednn
from generation.forward.packing import Row, packs, shared_length
from generation.forward.reader import Layout
from rewards.models.armorm import ArmoRM
from rewards.protocol import Group, Score

SIZES = {  # hidden, layers, heads, kv heads
    "tiny": (64, 2, 2, 1),
    "small": (128, 4, 2, 1),
    "medium": (512, 8, 8, 2),
    "0.6b": (1024, 28, 16, 8),
    "8b": (4096, 32, 32, 8),
}
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}  # dense bfloat16, FLOP/s


class Stock:
    """Scores as published scripts do: template row by row, stock backbone, `batch` rows in file order, padded."""

    def __init__(self, model: ArmoRM, batch: int) -> None:
        self.model, self.batch = model, batch
        self.backbone = model.reader.backbone
        self.tokenizer = model.chat.tokenizer

    @torch.inference_mode()
    def score(self, groups: list[Group]) -> list[list[Score]]:
        rows = [
            self.tokenizer.apply_chat_template([*g.messages, {"role": "assistant", "content": text}], return_dict=False)
            for g in groups
            for text in g.responses
        ]
        found = [score for i in range(0, len(rows), self.batch) for score in self._batch(rows[i : i + self.batch])]
        ends = iter(found)
        return [[next(ends) for _ in group.responses] for group in groups]

    def _batch(self, rows: list[list[int]]) -> list[Score]:
        longest, device = max(map(len, rows)), self.backbone.device
        ids = torch.full((len(rows), longest), self.model.pad_id or 0)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
        padded = {"attention_mask": mask.to(device)} if len(rows) > 1 else {}
        states = self.backbone(input_ids=ids.to(device), use_cache=False, **padded).last_hidden_state
        header = self.model.header
        gates = [max(j for j in range(len(row)) if row[j : j + len(header)] == header) for row in rows]
        read = torch.stack([states[i, [gates[i], len(row) - 1]] for i, row in enumerate(rows)])
        return self.model.heads.scores(read.float())


def flops(rows: list[Row], config: Any, *, shared: bool = False, packed: bool = True) -> float:
    """Floating point operations of the backbone: 2 per weight and token, 4 x hidden per layer and token seen.

    Packed rows need only the keys and values of the last layer, not what follows them (save for the few tokens that
    are read, which are not counted).
    """
    h, kv = config.hidden_size, config.num_key_value_heads / config.num_attention_heads
    whole = config.num_hidden_layers - (1 if packed else 0)
    weights = config.num_hidden_layers * h * h * 2 * kv + whole * (2 * h * h + 3 * h * config.intermediate_size)
    groups: dict[int, list[list[int]]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(row.group if shared else i, []).append(row.ids)
    total = 0.0
    for ids in groups.values():
        trunk = shared_length(ids) if len(ids) > 1 else 0
        spans = [(0, trunk), *((trunk, len(row)) for row in ids)]
        total += sum(2 * weights * (b - a) + 4 * h * whole * (b * b - a * a) / 2 for a, b in spans)
    return total


Scorer = Callable[[list[Group]], list[list[Score]]]


def measure(
    scorers: dict[str, Scorer], groups: list[Group], rounds: int, device: torch.device
) -> dict[str, list[tuple[float, float]]]:
    """Seconds by the clock and on the processors, for each scorer and round; the first round of all warms up."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in scorers}
    for round_ in range(rounds + 1):
        for name, score in scorers.items():
            clock, cpu = time.perf_counter(), time.process_time()
            score(groups if round_ else groups[:2])
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_:
                taken[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    return taken


def plain_products(model: ArmoRM) -> Scorer:
    """The model's scoring with PyTorch's own products in attention as well."""

    def score(groups: list[Group]) -> list[list[Score]]:
        with mock.patch("generation.forward.attention.has_onednn", return_value=False):
            return model.score(groups)

    return score


def table(title: str, models: dict[str, ArmoRM], groups: list[Group], args: argparse.Namespace) -> None:
    """Measure every step on `groups` and print a line for each."""
    packed = models["packed"]
    rows = [row for i, group in enumerate(groups) for row in packed.rows(group, i) if isinstance(row, Row)]
    tokens, device = sum(len(row.ids) for row in rows), packed.reader.device
    scorers: dict[str, Scorer] = {
        "one row at a time": Stock(models["stock"], 1).score,
        "20 in file order": Stock(models["stock"], 20).score,
        **{name: model.score for name, model in models.items() if name != "stock"},
        "packed": plain_products(packed),
    }
    taken = measure(scorers, groups, args.rounds, device)
    budget = packed.reader.batch_tokens
    batches = len(packs(rows, budget, share=True))
    print(f"\n{title}: {len(groups)} prompts, {len(rows)} rows, {tokens:,} tokens, {tokens / len(rows):.0f} a row")
    print(f"Batches of at most {budget:,} tokens: {batches} when shared")
    print(f"{'':20}{'seconds':>9}{'CPU s':>9}{'tokens/s':>11}{'x previous':>12}{'x first':>9}{'CPU x first':>13}")
    work = operations(rows, packed.reader.backbone.config)
    names = list(taken)
    for previous, name in zip([names[0], *names], names, strict=False):
        clock, cpu = (statistics.median(column) for column in zip(*taken[name], strict=True))
        steps = [ratio(taken, previous, name), ratio(taken, names[0], name), ratio(taken, names[0], name, cpu=True)]
        line = f"{name:20}{clock:9.2f}{cpu:9.2f}{tokens / clock:11,.0f}{steps[0]:12.2f}{steps[1]:9.2f}{steps[2]:13.2f}"
        print(f"{line}  {speed(work[name] / clock, device)}")
    promise = work["packed"] / work["shared"]
    before = names[names.index("shared") - 1]
    gain, cpu_gain = ratio(taken, before, "shared"), ratio(taken, before, "shared", cpu=True)
    print(
        f"Prompts computed once: {promise:.2f}x fewer operations; {gain:.2f}x by the clock, {cpu_gain:.2f}x of CPU time"
    )
    print(f"({gain / promise:.0%} and {cpu_gain / promise:.0%} of the promise)")
    print(f"Largest difference of a score from one row at a time: {agreement(scorers, groups):.1e}")


def operations(rows: list[Row], config: Any) -> dict[str, float]:
    """Useful operations of each step, padding not counted."""
    plain = dict.fromkeys(("one row at a time", "20 in file order", "sorted"), flops(rows, config, packed=False))
    packed = flops(rows, config)
    return plain | {"packed": packed, "packed, oneDNN": packed, "shared": flops(rows, config, shared=True)}


def ratio(taken: dict[str, list[tuple[float, float]]], a: str, b: str, *, cpu: bool = False) -> float:
    """Median over the rounds of a's time by b's time in the same round."""
    return statistics.median(x[cpu] / y[cpu] for x, y in zip(taken[a], taken[b], strict=True))


def speed(rate: float, device: torch.device) -> str:
    """Operations a second, and on a GPU of known peak their share of it."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else ""
    peak = next((value for key, value in PEAK.items() if key in name), None)
    return f"{rate / 1e12:.0f} TFLOP/s, {rate / peak:.0%} of peak" if peak else f"{rate / 1e9:,.0f} GFLOP/s"


def agreement(scorers: dict[str, Scorer], groups: list[Group]) -> float:
    found = [[s.score for scores in score(groups[:8]) for s in scores] for score in scorers.values()]
    return max(abs(a - b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def random_model(size: str, groups: Sequence[Group], folder: Path) -> Path:
    """A random ArmoRM whose tokenizer knows the words of `groups`."""
    try:
        from tiny_models import armorm
    except ModuleNotFoundError:
        raise SystemExit(
            "A random model is made by the tests' helpers: set PYTHONPATH=tests, or give --model."
        ) from None
    hidden, layers, heads, kv_heads = SIZES[size]
    corpus = [text for g in groups for text in (g.messages[-1]["content"], *g.responses)]
    shape = {"hidden": hidden, "layers": layers, "heads": heads, "kv_heads": kv_heads}
    made: Path = armorm(folder, **shape, corpus=corpus, vocab_size=8000)
    return made


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="JSON lines of real texts")
    parser.add_argument("--model", type=Path, help="an ArmoRM checkpoint's folder (default: a random one of --size)")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--responses", type=int, default=5)
    parser.add_argument("--prompt-tokens", type=int, default=180, help="mean, of generated texts")
    parser.add_argument("--response-tokens", type=int, default=320, help="mean, of generated texts")
    parser.add_argument("--batch-tokens", type=int, help="of one forward (default: what the library takes)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: bfloat16 on a GPU, else float32")
    parser.add_argument(
        "--stock-dtype", choices=("float32", "bfloat16"), help="of the first two steps; published scripts take bfloat16"
    )
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = getattr(torch, args.dtype or ("bfloat16" if device.type == "cuda" else "float32"))
    stock = getattr(torch, args.stock_dtype) if args.stock_dtype else dtype
    groups = generated(args.prompts, args.responses, args.prompt_tokens, args.response_tokens, 0.7)
    if args.data:
        groups = from_file(args.data, args.prompts, args.responses)
    even = generated(args.prompts, args.responses, args.response_tokens, args.response_tokens, 0.0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.model or random_model(args.size, (*groups, *even), Path(scratch))

        def model(name: str, layout: Layout, kind: torch.dtype = dtype) -> ArmoRM:
            return ArmoRM(folder, name=name, dtype=kind, device=device, batch_tokens=args.batch_tokens, layout=layout)

        models = {"stock": model("stock", "padded", stock), "sorted": model("sorted", "padded")}
        with mock.patch("generation.forward.reader.pack_linears"):  # leaves the linear layers as they are
            models["packed"] = model("packed", "packed")
        if device.type == "cpu" and dtype == torch.float32 and has_onednn():
            models["packed, oneDNN"] = model("packed, oneDNN", "packed")
        models["shared"] = model("shared", "shared")
        weights = sum(p.numel() for p in models["packed"].reader.backbone.parameters())
        where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        print(f"{weights:,} parameters, {dtype} ({stock} for the first two steps), {where}")
        table("Real texts" if args.data else "Log-normal lengths", models, groups, args)
        table("Prompts as long as responses", models, even, args)


if __name__ == "__main__":
    main()
