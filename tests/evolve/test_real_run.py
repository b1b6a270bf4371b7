"""The main job on the real engine: killed and resumed, selected anew without a model, and fed to a real trainer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from places import ROOT
from tiny_models import armorm
from tiny_policy import policy

pytestmark = pytest.mark.engine

TASKS = (
    "Write a short story about a fox that can not jump over the lazy dog.",
    "List some words for a fine day at the sea, and say why each is fine.",
    "Explain how a quick brown dog sleeps through a storm in the hills.",
)
EARLIER: list[dict[str, str]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello, who is there?"},
    {"role": "assistant", "content": "A fox."},
]
N_PROMPTS, N_SAMPLES, STRATEGIES = 12, 5, ("deepen", "breadth")
RECIPE = f"""
[prompts]
source = "./prompts.jsonl"
[policy]
model = "./policy"
in_flight = 1  # slow, so that there is a middle to be killed in
[reward]
model = "./reward"
[evolve]
strategies = {list(STRATEGIES)}
[sampling]
n = {N_SAMPLES}
max_tokens = 200
"""
NUMBERS = ("logp_chosen", "logp_rejected", "score_chosen", "score_rejected", "reward_margin", "implicit_margin")
TOLERANCE = 1e-3
PATIENCE = 240  # seconds


def prompts() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"prompt": f"{TASKS[i % 3]} Part {i}."} for i in range(N_PROMPTS - 2)]
    rows.append({"prompt": "What does {{ bos_token }} or {prompt} mean in #Rewritten Prompt#: a text of braces?"})
    rows.append({"prompt": [*EARLIER, {"role": "user", "content": "And who is behind you, in the hills?"}]})
    return rows


@dataclass(frozen=True)
class Rig:
    """A folder with a recipe, its models and prompts; the process that was killed, and the responses it had written."""

    folder: Path
    killed: list[int] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "evolve", "run", str(self.folder / "tiny.toml"), *arguments]
        root = ROOT
        return subprocess.Popen(
            command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
        )

    def run(self, name: str, *arguments: str) -> None:
        finish(self.start("--run", str(self.folder / name), *arguments))

    def dataset(self, name: str, algorithm: str = "evolve-then-select", metric: str = "map-alpha2.5") -> Path:
        return self.folder / name / "iteration-1" / algorithm / f"{metric}-k20pct"

    def train(self, name: str) -> list[dict[str, Any]]:
        return list(pq.read_table(self.dataset(name) / "train.parquet").to_pylist())

    def manifest(self, name: str, *which: str) -> dict[str, Any]:
        return dict(json.loads((self.dataset(name, *which) / "manifest.json").read_text()))

    def rows(self, name: str, table: str) -> list[dict[str, Any]]:
        parts = sorted((self.folder / name / "pool" / table).rglob("*-*.parquet"))
        return [row for part in parts for row in pq.read_table(part).to_pylist()]


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err[-3000:]
    assert "train.parquet" in out


def kill_in_the_middle(process: subprocess.Popen[str], responses: Path) -> None:
    """kill -9 of the program alone, as soon as a part of the responses is on disk."""
    deadline = time.monotonic() + PATIENCE
    while not list(responses.rglob("*-*.parquet")):
        assert process.poll() is None, "finished before a part was written: nothing to resume"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def in_group(group: int) -> set[int]:
    """Processes of a process group that still run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(its_group) == group and state != "Z":
            found.add(int(path.parent.name))
    return found


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two runs of one recipe: `whole`, and `resumed`, which was killed in the middle and started again."""
    here = Rig(tmp_path_factory.mktemp("real"))
    policy(here.folder / "policy", limit=4096, turn_ends=1.0)
    armorm(here.folder / "reward")
    (here.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts()))
    (here.folder / "tiny.toml").write_text(RECIPE)
    killed = here.start("--run", str(here.folder / "resumed"))
    whole = here.start("--run", str(here.folder / "whole"))
    try:
        kill_in_the_middle(killed, here.folder / "resumed" / "pool" / "responses")
        here.killed.append(killed.pid)
        here.survived.extend(row["id"] for row in here.rows("resumed", "responses"))
        here.run("resumed")
        finish(whole)
        yield here
    finally:
        for process in (killed, whole):
            if in_group(process.pid):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_run_started_again_gives_the_same_dataset(rig: Rig) -> None:
    resumed, whole = rig.train("resumed"), rig.train("whole")
    assert len(whole) >= N_PROMPTS
    assert {row["source"] for row in whole} == {"initial", "evolved"}
    for one, other in zip(resumed, whole, strict=True):
        exact = one.keys() - {*NUMBERS, "metric_score"}
        assert {name: one[name] for name in exact} == {name: other[name] for name in exact}
        for name in NUMBERS:
            assert one[name] == pytest.approx(other[name], abs=TOLERANCE)


def test_nothing_is_lost_doubled_or_computed_twice(rig: Rig) -> None:
    keys = {"prompts": "key", "responses": "id", "rewards": "response_id"}
    for table, key in keys.items():
        resumed, whole = ([row[key] for row in rig.rows(name, table)] for name in ("resumed", "whole"))
        assert len(set(resumed)) == len(resumed)
        assert set(resumed) == set(whole)
    total = len(rig.rows("whole", "responses"))
    assert 0 < len(rig.survived) < total
    assert rig.manifest("whole")["model_calls"]["sample"] == total
    assert rig.manifest("resumed")["model_calls"]["sample"] == total - len(rig.survived)


def test_the_manifest_says_what_made_the_rows(rig: Rig) -> None:
    manifest = rig.manifest("whole")
    engine = manifest["sampler"]["engine_description"]
    assert (engine["engine"], engine["logprobs_mode"], engine["seeds"]) == ("vllm", "raw_logprobs", "per request")
    assert manifest["rows"]["evol_instruct"]["in"] == N_PROMPTS * len(STRATEGIES)
    for stage in manifest["rows"].values():
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values())


def test_another_metric_and_the_other_algorithm_call_no_model(rig: Rig) -> None:
    before = rig.manifest("whole")["rows"]["gen_dataset_evolved"]
    rig.run("whole", "--metric", "eva")
    rig.run("whole", "--metric", "eva", "--algo", "select-then-evolve")
    for algorithm in ("evolve-then-select", "select-then-evolve"):
        manifest = rig.manifest("whole", algorithm, "eva")
        assert manifest["model_calls"] == {"rewrite": 0, "sample": 0, "reward": 0}
    assert rig.manifest("whole", "evolve-then-select", "eva")["rows"]["gen_dataset_evolved"] == before


def test_the_engine_dies_with_the_program(rig: Rig) -> None:
    """kill -9 hit the program alone; a device that its engine still held could not be used by the next run."""
    deadline = time.monotonic() + 30
    while in_group(rig.killed[0]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not in_group(rig.killed[0])


def test_trl_trains_on_the_dataset_as_it_is(rig: Rig, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    path = str(rig.dataset("whole") / "train.parquet")
    dataset = load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
    tokenizer = AutoTokenizer.from_pretrained(rig.folder / "policy")
    model = AutoModelForCausalLM.from_pretrained(rig.folder / "policy")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config = DPOConfig(
        output_dir=str(tmp_path / "trained"),
        max_steps=2,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        max_length=4096,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
    )
    trainer = DPOTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
    assert len(trainer.train_dataset) == len(dataset)
    for tokens, row in zip(trainer.train_dataset, dataset, strict=True):
        for side in ("chosen", "rejected"):
            conversation = [*row["prompt"], *row[side]]
            whole = tokenizer.apply_chat_template(conversation, return_dict=False)
            assert tokens["prompt_ids"] + tokens[f"{side}_ids"] == whole
            assert tokenizer.decode(whole).count(row["prompt"][-1]["content"].strip()) == 1
    trainer.train()
    assert trainer.state.global_step == 2
    assert any((tensor != before[name]).any() for name, tensor in trainer.model.state_dict().items())
