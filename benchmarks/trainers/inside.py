"""One trainer's loader, inside that trainer's environment: `python -m benchmarks.trainers.inside NAME DATA POLICY OUT`.

Writes a JSON line for each pair that the loader made: for chosen and rejected the token ids and, as 0 and 1, which are
trained. The file is there only when all of it is. Standard library and the trainer's packages only.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    name, data, policy, out = sys.argv[1:]
    loader = importlib.import_module(f"benchmarks.trainers.loaders.{name}")
    beside = Path(out + ".unfinished")
    with beside.open("w", encoding="utf-8") as file:
        for chosen, rejected in loader.pairs(Path(data), Path(policy)):
            file.write(json.dumps({"chosen": _plain(*chosen), "rejected": _plain(*rejected)}) + "\n")
    beside.replace(out)


def _plain(ids: list[int], trained: list[bool]) -> list[list[int]]:
    return [[int(one) for one in ids], [int(one) for one in trained]]


if __name__ == "__main__":
    main()
