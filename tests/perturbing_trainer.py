"""A trainer for tests of the loop, in a second: it copies a policy and moves one weight. FAULT says what goes wrong.

python perturbing_trainer.py POLICY OUTPUT DATASET START FAULT [DELAY]

START is copied where POLICY is the fake one. DELAY seconds pass when half of it is written; OUTPUT.trainings counts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

MOVED = "model.norm.weight"


def main(policy: str, output: str, dataset: str, start: str, fault: str, delay: str = "0") -> None:
    out, source = Path(output), Path(start if policy == "fake" else policy)
    with out.with_suffix(".trainings").open("a") as file:
        file.write(f"{policy}\n")
    print(f"training {policy} on {Path(dataset).stat().st_size} bytes", flush=True)
    if fault == "fails":
        print("\n".join(f"line {i}" for i in range(100)), flush=True)
        raise SystemExit("out of memory \x1b[31m, it said")
    if fault == "huge":
        for _ in range(40):
            sys.stdout.write("x" * (1 << 20) + "\r")
        raise SystemExit("that was all")
    if fault == "leaves":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    if fault == "nothing":
        return
    for path in source.iterdir():
        if path.suffix in (".json", ".jinja", ".model") and path.name != "trained.json":
            shutil.copy(path, out)
    (out / "half").write_text("half")
    time.sleep(float(delay))
    if fault == "half":
        return
    weights = load_file(source / "model.safetensors")
    if fault != "same":
        weights[MOVED] = weights[MOVED] + np.float32(np.nan if fault == "diverges" else 0.01)
    if fault == "missing":
        del weights[MOVED]
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((out / "tokenizer_config.json").read_text())
    if fault == "template":
        config["chat_template"] = "Now " + config["chat_template"]
    (out / "tokenizer_config.json").write_text(json.dumps(config))
    if fault == "tokenizer":
        tokenizer = json.loads((out / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["never seen"] = len(tokenizer["model"]["vocab"]) + 500
        (out / "tokenizer.json").write_text(json.dumps(tokenizer))
    if fault == "truncated":
        whole = (out / "model.safetensors").read_bytes()
        (out / "model.safetensors").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main(*sys.argv[1:])
