"""How many near-identical pairs M_AP keeps without the guard, and what alpha = "auto" finds beside fixed values.

    python -m benchmarks.degenerate RUN                                a run with its pool
    python -m benchmarks.degenerate --data FILE --policy MODEL         pairs as lines (prompt, chosen, rejected and
                                                                       metadata.score_*), log-probabilities in float32
    python -m benchmarks.degenerate --simulate 10000                   log-normal margins, 2% near-identical

Of a run all prompts count, X and X', paired as the paper does. A near-identical pair is what the guard calls one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from evolve.recipe.stored import last_iteration, stored_recipe
from evolve.run import Run
from evolve.views.auto_alpha import trace_of
from evolve.views.guarding import guarded
from evolve.views.known import known_of
from evolve.views.pairs import Pairs, pairs_of
from selection import metric_of, near_identical, scale_of, score

ALPHAS = (0.0, 0.5, 2.5, 5.0)
SHARES = (10, 20, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="folder of a run")
    parser.add_argument("--simulate", type=int, metavar="PAIRS", help="draw margins in place of reading any")
    parser.add_argument("--data", type=Path, help="a file of JSON lines")
    parser.add_argument("--policy", help="folder of the policy whose log-probabilities count")
    parser.add_argument("--limit", type=int, default=1_000, help="pairs of the file")
    parser.add_argument(
        "--tokens", type=int, default=512, help="longest row of prompt and response; longer ones are cut"
    )
    arguments = parser.parse_args()
    if arguments.simulate:
        print_kept(*simulated(arguments.simulate))
    elif arguments.run:
        of_run(arguments.run)
    else:
        print_kept(*of_file(arguments.data, arguments.policy, arguments.limit, arguments.tokens))


def of_run(folder: Path) -> None:
    """Both tables of a run."""
    iteration = last_iteration(folder)
    run = Run(stored_recipe(folder, iteration, {"selection.guard": "paper"}), folder, iteration, view_only=True)
    prompts = [*run.prompts, *run.evol_instruct(run.prompts).ids]
    pairs = pairs_of(run.responses, prompts, run.recipe.selection, run.recipe.sampling.n)
    good, bad = (
        run.texts.fetch(pairs.column(f"{one}_id"), ["text"])["text"].to_pylist() for one in ("chosen", "rejected")
    )
    near = np.array([near_identical(*both) for both in zip(good, bad, strict=True)])
    print_kept(pairs.explicit, pairs.implicit, near)
    rule = run.recipe.selection.model_copy(update={"guard": "degenerate"})
    kept = guarded(pairs_of(run.responses, prompts, rule, run.recipe.sampling.n), run.texts, rule)
    print_alphas(run, kept)


def simulated(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-normal margins of n pairs, independent of each other; in every fiftieth both are a hundredth of that."""
    rng = np.random.default_rng(0)
    explicit, implicit = rng.lognormal(size=n), rng.lognormal(size=n)
    near = np.arange(n) % 50 == 0
    return explicit * np.where(near, 0.01, 1), implicit * np.where(near, 0.01, 1), near


def of_file(path: Path, policy: str, limit: int, longest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Explicit and implicit margins (pairs,) of a file's pairs, and which of them are near-identical."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:limit]]
    lines = [line for line in lines if line["chosen"].strip() and line["rejected"].strip()]
    score_row = _mean_logp(policy, longest)
    hidden = [[score_row(line["prompt"], line[side]) for side in ("chosen", "rejected")] for line in lines]
    implicit = np.abs(np.subtract(*np.array(hidden).T))
    explicit = np.array([abs(line["metadata"]["score_chosen"] - line["metadata"]["score_rejected"]) for line in lines])
    near = np.array([near_identical(line["chosen"], line["rejected"]) for line in lines])
    return explicit, implicit, near


def _mean_logp(policy: str, longest: int) -> Any:
    """A function from prompt and response to log pi(y|x) / |y|, the response's end included, one row at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32).eval()

    @torch.inference_mode()
    def mean_logp(prompt: str, response: str) -> float:
        turn = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        asked = tokenizer(text, add_special_tokens=False)["input_ids"][: longest // 2]
        said = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        said = said[: longest - len(asked)]
        logits = model(torch.tensor([asked + said]), logits_to_keep=len(said) + 1).logits[0, :-1]
        picked = logits.log_softmax(-1).gather(1, torch.tensor(said)[:, None])
        return float(picked.mean())

    return mean_logp


def print_kept(explicit: np.ndarray, implicit: np.ndarray, near: np.ndarray) -> None:
    """Near-identical pairs among the best, by alpha and share, with nothing guarded."""
    print(f"{len(near):,} pairs without guard, {int(near.sum())} of them near-identical ({near.mean():.1%})")
    print(f"{'alpha':>6} " + " ".join(f"{'top ' + str(share) + '%':>16}" for share in SHARES))
    for alpha in ALPHAS:
        scale = scale_of(explicit, implicit)
        scores = explicit / scale.sigma_r - alpha / scale.sigma_pi * implicit
        order = np.argsort(-scores, kind="stable")
        cells = []
        for share in SHARES:
            best = order[: len(order) * share // 100]
            cells.append(f"{int(near[best].sum()):>4} of {int(near.sum())}, {near[best].mean():5.1%}")
        print(f"{alpha:>6g} " + " ".join(f"{cell:>16}" for cell in cells))


def print_alphas(run: Run, pairs: Pairs) -> None:
    """Stability and weak pairs at fixed alphas and at the one that is found, with the default guard."""
    rule = run.recipe.selection.model_copy(update={"alpha": "auto"})
    metric = metric_of("map")
    known = known_of(pairs, run.responses, rule, 0, metric.inputs)
    print(f"\n{len(pairs):,} pairs with the guard: stability / share of weak pairs / mean M_r / mean M_pi of the best")
    for share in SHARES:
        found = trace_of(metric, pairs, known, rule.model_copy(update={"k": f"{share}%"}), run.responses)
        for alpha in sorted({0.25, 0.5, 1.0, 2.5, 5.0, found.alpha}):
            at = int(np.argmin(np.abs(found.alphas - alpha)))
            scores = score(metric, known | {"alpha": alpha})
            best = np.argsort(-scores, kind="stable")[: len(pairs) * share // 100]
            said = f"{found.stability[at]:.3f} {found.weak[at]:6.1%} {pairs.explicit[best].mean():9.4f}"
            mark = "  <- auto" if alpha == found.alpha else ""
            print(f"top {share}%  alpha {alpha:<6g} {said} {pairs.implicit[best].mean():9.5f}{mark}")


if __name__ == "__main__":
    main()
