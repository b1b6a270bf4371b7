"""Select from the rows of a run by M_AP and by eva's M_r, without a model, and show what one alone takes.

python examples/swap_metric.py RUN      (a folder that `evolve run` or examples/grow_and_read.py made)
"""

import sys

from evolve import select

SHOWN = 3


def main(folder: str = "runs/example") -> None:
    taken = {}
    for metric in ("map", "eva"):
        dataset = select(folder, {"selection.metric": metric})
        taken[metric] = {pair["pair_id"]: pair for pair in dataset.pairs("selected")}
    both = taken["map"].keys() & taken["eva"].keys()
    print(f"{len(both)} pairs are selected by both. Of those that one alone selects, the first {SHOWN}:")
    for metric, pairs in taken.items():
        alone = [pair for pair_id, pair in pairs.items() if pair_id not in both]
        for pair in alone[:SHOWN]:
            margins = f"M_r {pair['reward_margin']:.2f}  M_pi {pair['implicit_margin']:.2f}"
            print(f"{metric}  {margins}  {pair['prompt'][-1]['content']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
