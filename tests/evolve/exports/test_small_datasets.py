"""A small dataset trains: every configuration takes steps at a rate above 0; with enough pairs, those of the paper."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolve.exports.forms import FORMS
from evolve.exports.paper import Epoch, training
from evolve.exports.setup import Setup

SMALL = [1, 2, 5, 9, 10, 19, 20, 64, 127, 128, 129, 200, 255, 256, 1_000, 1_279]
LARGE = [1_280, 1_281, 10_000, 20_000]
DROPS_THE_REST = ("conversation", "openrlhf", "nemo-rl")


def setup(n_pairs: int) -> Setup:
    dpo, simpo = training("Llama", "ArmoRM", 1)
    return Setup(Path("/out/train.jsonl"), None, n_pairs, "/policy", dpo, simpo, 2048)


def schedule(form: str, end: str, text: str, n_pairs: int) -> tuple[int, int, int]:
    """Of a configuration: examples of a step, steps of the epoch as its trainer counts them, steps of the warm-up."""
    n = 2 * n_pairs if form == "kto" else n_pairs
    if end.endswith(".py"):
        batch, warm_up = of_program(text)
    elif end.endswith(".yaml"):
        read: dict[str, Any] = yaml.safe_load(text)
        read = read.get("training", read)
        size = read.get("micro_batch_size") or read["per_device_train_batch_size"]
        batch, warm_up = size * read["gradient_accumulation_steps"], read["warmup_steps"]
    elif form == "swift":
        options = options_of(text)
        batch = int(options["--per_device_train_batch_size"]) * int(options["--gradient_accumulation_steps"])
        warm_up = int(options["--warmup_steps"])
    elif form == "nemo-rl":
        values = {
            line.split("=", 1)[0].strip(" '"): line.split("=", 1)[1].strip("' \\") for line in text.split("\n  ")[1:]
        }
        batch = int(values["policy.train_global_batch_size"])
        assert int(values["dpo.max_num_steps"]) == max(1, n // batch)
        milestones = values["policy.scheduler"].partition("{milestones:[")[2].partition("]")[0]
        assert ("LinearLR" in values["policy.scheduler"]) == bool(milestones)
        warm_up = int(milestones or 0)
    else:
        options = options_of(text)
        batch = int(options["--train.batch_size"])
        warm_up = math.ceil((n // batch) * float(options["--lr_warmup_ratio"]))
    return batch, n // batch if form in DROPS_THE_REST else math.ceil(n / batch), warm_up


def options_of(text: str) -> dict[str, str]:
    lines = [line.strip(" \\").split(" ", 1) for line in text.splitlines() if line.startswith("  --")]
    return {name: (rest or [""])[0] for name, *rest in lines}


def of_program(text: str) -> tuple[int, int]:
    """Examples of a step on one device without a GPU, and steps of the warm-up."""
    size = re.search(r"SIZE = 1 if GPU else (\d+)|per_device_train_batch_size=(\d+),", text)
    total = re.search(r"gradient_accumulation_steps=max\(1, (\d+) //", text)
    warm_up = re.search(r"warmup_steps=(\d+),", text)
    assert size
    assert total
    assert warm_up
    on_device = int(size[1] or size[2])
    return on_device * max(1, int(total[1]) // on_device), int(warm_up[1])


@pytest.mark.parametrize("form", FORMS)
def test_few_pairs_take_steps_at_a_rate_above_0(form: str) -> None:
    """The first step of a warm-up is at 0; ten steps are asked for, or as many as there are pairs."""
    for n in SMALL:
        for end, text in FORMS[form].configs(setup(n)).items():
            batch, steps, warm_up = schedule(form, end, text, n)
            at_zero = min(1, warm_up)
            assert steps - at_zero >= min(n, 9), (end, n, batch, steps, warm_up)
            assert warm_up <= steps / 5, (end, n, steps)
            whole = form == "kto" and n >= 640  # lines are two a pair
            assert (f"Not the paper's: a batch of {batch}" in text) != whole, (end, n)


@pytest.mark.parametrize("form", FORMS)
def test_with_enough_pairs_batch_and_warm_up_are_the_paper_s(form: str) -> None:
    for n in LARGE:
        for end, text in FORMS[form].configs(setup(n)).items():
            batch, steps, warm_up = schedule(form, end, text, n)
            assert (batch, warm_up) == (128, math.ceil(steps / 10)), (end, n)
            assert "Not the paper's" not in text


def test_an_epoch_counts_its_steps() -> None:
    """By hand: 200 pairs make 12 whole batches of 16 and one of 8."""
    assert (Epoch(200).batch, Epoch(200).steps, Epoch(200).full_steps, Epoch(200).warmup_steps) == (16, 13, 12, 2)
    assert (Epoch(5).batch, Epoch(5).steps, Epoch(5).warmup_steps) == (1, 5, 0)
    assert (Epoch(10, least=2).batch, Epoch(10, least=2).steps, Epoch(10, least=2).warm_up) == (2, 5, 0.0)
    (told,) = Epoch(200).told
    assert "a batch of 16, for more steps. Its 128 would make 2 of these 200, the first at a rate of 0." in told
    assert "a batch of 1 without a warm-up" in Epoch(5).told[0]
    assert Epoch(1_280).told == []
