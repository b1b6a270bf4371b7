"""How fast existing preference data gets its log-probabilities, against the loop that everyone writes.

    python -m benchmarks.forced --data pairs.jsonl                     # the embedded policy
    python -m benchmarks.forced --data pairs.jsonl --model FOLDER --rows 100

A: batches of 8 in file order, right-padded, the stock model in float32, log-softmax over all its logits. B: teacher
forcing as `evolve score` does it. Both from texts to sums, in turn (A B A B ...), medians and the median of the ratios.
Rows that the context does not take leave before either begins. "CPU s" is the time that the process had on the
processors: where other programs share the machine it varies less than the clock's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from evolve.sources.conversation import RowDropped
from evolve.sources.preferences import open_preferences
from generation.checkpoint import resolve
from generation.logprobs import Asked, Said, TeacherForcing, load_forcing

EMBEDDED = Path(__file__).parents[1] / "recipes" / "embedded" / "policy"
BATCH = 8
Scorer = Callable[[list[Asked]], list[float]]


class Loop:
    """Sums of log-probabilities by the stock model, 8 conversations in file order at a time."""

    def __init__(self, folder: Path, forcing: TeacherForcing) -> None:
        from transformers import AutoModelForCausalLM

        self.tokenizer = forcing.tokens.chat.tokenizer
        self.closing, self.device = forcing.tokens.closing, forcing.reader.reader.device
        dtype = forcing.reader.reader.backbone.dtype
        self.model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype).to(self.device).eval()

    def __call__(self, asked: list[Asked]) -> list[float]:
        rows = [self._row(list(one.messages), said.text) for one in asked for said in one.responses]
        return [total for i in range(0, len(rows), BATCH) for total in self._batch(rows[i : i + BATCH])]

    def _row(self, messages: list[Any], text: str) -> tuple[list[int], int]:
        """Ids up to the end of the turn, and how many are the prompt's."""
        template = self.tokenizer.apply_chat_template
        prompt = template(messages, add_generation_prompt=True, return_dict=False)
        ids = template([*messages, {"role": "assistant", "content": text}], return_dict=False)
        return ids[: ids.index(self.closing, len(prompt)) + 1], len(prompt)

    @torch.inference_mode()
    def _batch(self, rows: list[tuple[list[int], int]]) -> list[float]:
        longest = max(len(ids) for ids, _ in rows)
        ids, mask = (torch.zeros((len(rows), longest), dtype=torch.long) for _ in range(2))
        for i, (row, _) in enumerate(rows):
            ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
        terms = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[..., 0].double()
        return [float(terms[i, n - 1 : len(row) - 1].sum()) for i, (row, n) in enumerate(rows)]


def forced(forcing: TeacherForcing, window: int = 32) -> Scorer:
    """As `evolve score` asks: so many prompts at a time."""

    def run(asked: list[Asked]) -> list[float]:
        parts = [forcing.force(asked[i : i + window]) for i in range(0, len(asked), window)]
        return [one.logp for part in parts for of_prompt in part for one in of_prompt]

    return run


def texts(data: str, rows: int, forcing: TeacherForcing) -> tuple[list[Asked], int]:
    """The first rows whose both sides fit the context and are what the template writes, and their tokens."""
    asked: list[Asked] = []
    tokens = 0
    for given in open_preferences(data).rows():
        if isinstance(given, RowDropped) or len(asked) == rows:
            continue
        one = Asked(given.messages, [Said(text) for text in given.texts])
        turns = forcing.tokens.turns(one.messages, one.responses)
        plain = all(not isinstance(turn, str) and len(turn.ids) <= forcing.limit and not turn.note for turn in turns)
        if plain:
            asked.append(one)
            tokens += sum(len(turn.ids) for turn in turns if not isinstance(turn, str))
    return asked, tokens


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    folder = resolve(arguments.model)
    forcing = load_forcing(arguments.model, dtype=arguments.dtype, head=arguments.head)
    assert isinstance(forcing, TeacherForcing)
    asked, tokens = texts(arguments.data, arguments.rows, forcing)
    n = sum(len(one.responses) for one in asked)
    print(f"{folder.name}: {len(asked):,} pairs, {tokens:,} tokens, {tokens / n:.0f} a conversation", flush=True)
    scorers: dict[str, Scorer] = {"batches of 8, file order": Loop(folder, forcing), "evolve score": forced(forcing)}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in scorers}
    sums: dict[str, list[float]] = {}
    for run in scorers.values():
        run(asked[:2])  # warms up
    for round_ in range(arguments.rounds):
        for name, run in scorers.items():
            clock, cpu = time.perf_counter(), time.process_time()
            sums[name] = run(asked)
            taken[name].append((time.perf_counter() - clock, time.process_time() - cpu))
            print(
                f"round {round_ + 1}  {name:25}{taken[name][-1][0]:9.2f} s{taken[name][-1][1]:9.2f} CPU s", flush=True
            )
    print(f"{'':25}{'seconds':>9}{'CPU s':>9}{'tokens/s':>11}")
    for name, times in taken.items():
        clock, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:25}{clock:9.2f}{cpu:9.2f}{tokens / clock:11,.0f}")
    loop, ours = taken.values()
    ratios = [statistics.median(a[i] / b[i] for a, b in zip(loop, ours, strict=True)) for i in (0, 1)]
    worst = max(abs(a - b) for a, b in zip(*sums.values(), strict=True))
    print(f"{ratios[0]:.2f} times the speed by the clock, {ratios[1]:.2f} by CPU time")
    print(f"largest difference of a sequence's log-probability: {worst:.1e}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="preference data, as `evolve score` reads it")
    parser.add_argument("--model", default=str(EMBEDDED), help="a causal model's folder or Hub name")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--head", default="float32", choices=("float32", "float16"))
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
