"""python -m benchmarks.selfplay: the paper's tables in miniature.

Each trained arm is a small file under --out, written when it is whole: killed at any moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.selfplay.experiments import Setting, run_all

PARTS = ("tables", "iterations", "sizes", "alphas")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selfplay", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of everything that is made")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=300, help="size of X")
    parser.add_argument("--held-out", type=int, default=500, help="prompts that judge a policy")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    given = parser.parse_args()
    began = time.monotonic()
    run_all(Setting(given.out, given.seeds, given.prompts, given.held_out), given.parts.split(","))
    print(f"{(time.monotonic() - began) / 60:.0f} minutes in this call")


if __name__ == "__main__":
    main()
