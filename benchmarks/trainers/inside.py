"""One trainer's loader, inside that trainer's environment: `python -m ... NAME POLICY DATA OUT DATA OUT`

For each DATA a file OUT, with a JSON line for each pair that the loader made of it: for chosen and rejected the token
ids and, as 0 and 1, which are trained. It is there only when all of it is. Imports nothing of this project's packages.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    name, policy, *files = sys.argv[1:]
    loader = importlib.import_module(f"benchmarks.trainers.loaders.{name}")
    for data, out in zip(files[::2], files[1::2], strict=True):
        beside = Path(out + ".unfinished")
        with beside.open("w", encoding="utf-8") as file:
            for chosen, rejected in loader.pairs(Path(data), Path(policy)):
                file.write(json.dumps({"chosen": _plain(*chosen), "rejected": _plain(*rejected)}) + "\n")
        beside.replace(out)


def _plain(ids: list[int], trained: list[bool]) -> list[list[int]]:
    return [[int(one) for one in ids], [int(one) for one in trained]]


if __name__ == "__main__":
    main()
