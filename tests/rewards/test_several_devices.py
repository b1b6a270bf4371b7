"""A backbone that is laid out over several places, by accelerate, scores as one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rewards
from generation.checkpoint import Tensors
from generation.forward.packing import Row
from generation.forward.reader import Reader
from prompts.errors import UserError
from rewards.backbone import load_backbone
from rewards.protocol import Group
from tiny_models import armorm, scalar
from tiny_rewards import grm, inform, qrm, urm

USER = [{"role": "user", "content": "Name three colours."}]
TEXTS = ["Blue, green.", "", "word " * 100, "one two three " * 20]


@pytest.mark.parametrize("make", [scalar, grm, inform, qrm, urm])
def test_scores_are_those_of_one_device(tmp_path: Path, make) -> None:
    folder = str(make(tmp_path))
    one, spread = (rewards.load(folder, device=device).score([Group(USER, TEXTS)])[0] for device in ("auto", "all"))
    assert [b.score for b in spread] == pytest.approx([a.score for a in one], abs=1e-5)


def test_layers_in_two_places_give_the_native_states(tmp_path: Path) -> None:
    """One layer in memory, one on the disk: accelerate brings each to where it is computed."""
    folder = scalar(tmp_path / "model")
    tensors, head = Tensors(folder), {"score.weight"}
    how = {"head": head, "dtype": torch.float32}
    native = load_backbone(folder, tensors, device=torch.device("cpu"), **how)
    where = {"embed_tokens": "cpu", "layers.0": "cpu", "layers.1": "disk", "norm": "cpu", "rotary_emb": "cpu"}
    places = {"device_map": where, "offload_folder": str(tmp_path / "offloaded")}
    spread = load_backbone(folder, tensors, device=torch.device("meta"), places=places, **how)
    assert {parameter.device.type for parameter in spread.parameters()} == {"cpu", "meta"}  # on the disk: no memory
    rows = [Row(list(range(5, 60)), (0, 54)), Row(list(range(100, 120)), (7, 19))]
    readers = [Reader(native, batch_tokens=500, pad_id=0), Reader(spread, batch_tokens=500, pad_id=0, layout="padded")]
    for a, b in zip(*(reader.read(rows) for reader in readers), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_what_fits_one_device_is_not_spread(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reward\.devices = 'one'"):
        rewards.load(str(armorm(tmp_path)), device="all")
