"""Layouts of a batch and running out of memory, without a model where none is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rewards
from generation.forward.attention import Work, packed_attention
from generation.forward.batches import token_budget_batches
from generation.forward.onednn import PackedLinear, has_onednn
from generation.forward.packing import Row, Segment, lay_out, packs, shared_length
from generation.forward.reader import within_memory
from rewards.models.armorm import ArmoRM
from rewards.protocol import Group
from tiny_models import armorm


def test_a_shared_prefix_is_laid_once() -> None:
    """Two rows share 1 2 3; the third is of another group, the fourth a group's only row."""
    rows = [Row([1, 2, 3, 4, 5], (1, 4), 0), Row([1, 2, 3, 6], (1, 3), 0), Row([1, 2], (0, 1), 1)]
    pack = lay_out(rows, share=True)
    assert pack.ids == [1, 2, 3, 4, 5, 6, 1, 2]
    assert pack.positions == [0, 1, 2, 3, 4, 3, 0, 1]
    assert pack.segments == [
        Segment(0, 3, 0, 0, 0),
        Segment(3, 5, 0, 3, 3),
        Segment(5, 6, 0, 3, 5),
        Segment(6, 8, 6, 6, 6),
    ]
    assert pack.spans([4]) == [Segment(4, 5, 0, 3, 3)]
    assert pack.spans([2, 3, 4, 5, 7]) == [
        Segment(2, 3, 0, 0, 0),  # neighbours of another segment see other keys
        Segment(3, 5, 0, 3, 3),
        Segment(5, 6, 0, 3, 5),
        Segment(7, 8, 6, 6, 6),
    ]
    assert list(Segment(5, 9, 0, 3, 5).blocks(3)) == [Segment(5, 8, 0, 3, 5), Segment(8, 9, 0, 3, 5)]
    assert pack.reads == [[1, 4], [1, 5], [6, 7]]


def test_without_sharing_rows_are_laid_end_to_end() -> None:
    pack = lay_out([Row([1, 2, 3], (2,), 0), Row([1, 2, 4], (2,), 0)], share=False)
    assert pack.ids == [1, 2, 3, 1, 2, 4]
    assert pack.positions == [0, 1, 2, 0, 1, 2]
    assert pack.reads == [[2], [5]]


def test_a_row_that_is_a_prefix_of_the_others_has_no_branch() -> None:
    pack = lay_out([Row([1, 2], (1,), 0), Row([1, 2, 3], (2,), 0), Row([1, 2], (0,), 0)], share=True)
    assert pack.ids == [1, 2, 3]
    assert pack.reads == [[1], [2], [0]]


def test_shared_length() -> None:
    assert shared_length([[1, 2, 3], [1, 2, 4], [1, 2, 3, 4]]) == 2
    assert shared_length([[1], [2]]) == 0


def laid(places: Sequence[int], rows: list[Row], share: bool) -> int:
    """Tokens of these rows laid end to end."""
    return len(lay_out([rows[i] for i in places], share=share).ids)


def test_packs_keep_to_the_budget_counting_shared_tokens_once() -> None:
    """Random groups: neighbours in order, no batch of two rows or more is laid out longer than the budget, none takes
    less than it could, and with sharing a group that fits the budget is in one batch."""
    generator = np.random.default_rng(0)
    for budget in (1, 12, 30, 1000):
        rows = []
        for group in range(60):
            prompt = generator.integers(0, 2, 8).tolist()
            rows += [
                Row(prompt + generator.integers(0, 2, n).tolist(), (0,), group) for n in generator.integers(0, 9, 4)
            ]
        for share in (True, False):
            batches = packs(rows, budget, share=share)
            assert [i for batch in batches for i in batch] == list(range(len(rows)))
            assert all(laid(batch, rows, share) <= budget or len(batch) == 1 for batch in batches)
            heads = [[i for i in b if i == b[0] or (share and rows[i].group == rows[b[0]].group)] for b in batches]
            assert all(laid(a + head, rows, share) > budget for a, head in zip(batches, heads[1:], strict=False))
            if share:
                fitting = [g for g in range(60) if laid(range(4 * g, 4 * g + 4), rows, True) <= budget]
                assert all(sum(rows[b[0]].group <= g <= rows[b[-1]].group for b in batches) == 1 for g in fitting)
                assert budget < 30 or fitting


class Memory:
    """A forward with room for so many items at once, and none for an item that is too large."""

    def __init__(self, room: int, too_large: int = -1) -> None:
        self.room, self.too_large = room, too_large
        self.done: list[int] = []
        self.failures = 0

    def forward(self, batch: list[int]) -> None:
        if len(batch) > self.room or self.too_large in batch:
            self.failures += 1
            raise torch.OutOfMemoryError(f"{len(batch)} items in a memory for {self.room}")
        self.done += batch


@pytest.mark.parametrize("room", [1, 2, 3, 7, 100])
def test_batches_are_halved_until_they_fit(room: int) -> None:
    memory = Memory(room)
    assert within_memory([list(range(8)), list(range(8, 16)), [16, 17]], memory.forward) == []
    assert memory.done == list(range(18))
    assert memory.failures <= 3  # once a size has failed no later batch of that size is tried


def test_what_never_fits_is_left_out_alone() -> None:
    memory = Memory(4, too_large=5)
    assert within_memory([list(range(8)), [8, 9]], memory.forward) == [5]
    assert sorted(memory.done) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_other_errors_are_not_swallowed() -> None:
    def forward(_: list[int]) -> None:
        raise RuntimeError("not about memory")

    with pytest.raises(RuntimeError, match="not about memory"):
        within_memory([[1, 2]], forward)


class Cramped(torch.nn.Module):
    """A backbone on a device with memory for so many tokens in one forward."""

    def __init__(self, backbone: Any, room: int) -> None:
        super().__init__()
        self.backbone, self.room, self.config = backbone, room, backbone.config

    def forward(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        if input_ids.numel() > self.room:
            raise torch.OutOfMemoryError(f"{input_ids.numel()} tokens in a memory for {self.room}")
        return self.backbone(input_ids=input_ids, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name) if name in ("backbone",) else getattr(self.backbone, name)

    def embed_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        if ids.numel() > self.room:
            raise torch.OutOfMemoryError(f"{ids.numel()} tokens in a memory for {self.room}")
        return self.backbone.embed_tokens(ids)


@pytest.mark.parametrize("layout", ["padded", "packed", "shared"])
def test_scores_survive_running_out_of_memory(tmp_path: Path, layout: Any) -> None:
    folder = armorm(tmp_path)
    group = Group([{"role": "user", "content": "Say something."}], ["word " * n for n in (1, 40, 3, 900, 20, 5)])
    device = torch.device("cpu")
    model = ArmoRM(folder, name="tiny", dtype=torch.float32, device=device, batch_tokens=10_000, layout=layout)
    whole = model.score([group])[0]
    model.reader.backbone = Cramped(model.reader.backbone, room=300)
    cramped = model.score([group])[0]
    assert [score.error for score in cramped] == ["", "", "", "out_of_memory", "", ""]
    for a, b in zip(whole, cramped, strict=True):
        assert b.error or abs(a.score - b.score) <= 2e-5


def test_batches_keep_to_the_budget() -> None:
    lengths = [5, 100, 3, 8, 8, 40, 1, 99]
    batches = token_budget_batches(lengths, 100)
    assert sorted(i for batch in batches for i in batch) == list(range(8))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 100 for batch in batches)
    assert lengths[batches[0][0]] == 100
    assert token_budget_batches([500], 100) == [[0]]
    assert token_budget_batches([], 100) == []


def test_real_responses_score_the_same_in_every_layout(tmp_path: Path, shared_data: Path) -> None:
    """16 real pairs, all layouts, a small budget: within 2e-5 of one row at a time."""
    rows = [json.loads(line) for line in shared_data.read_text().splitlines()[:16]]
    groups = [Group([{"role": "user", "content": row["prompt"]}], [row["chosen"], row["rejected"]]) for row in rows]
    folder = armorm(tmp_path)
    alone = rewards.load(str(folder))
    expected = [alone.score([Group(g.messages, [text])])[0][0] for g in groups for text in g.responses]
    layouts: list[Any] = ["padded", "packed", "shared"]
    for layout in layouts:
        model = ArmoRM(
            folder, name="t", dtype=torch.float32, device=torch.device("cpu"), batch_tokens=4000, layout=layout
        )
        found = [score for scores in model.score(groups) for score in scores]
        assert [a.error for a in expected] == [b.error for b in found]
        assert max(abs(a.score - b.score) for a, b in zip(expected, found, strict=True) if not a.error) <= 2e-5


def test_both_ways_of_packed_attention_equal_plain_attention_row_by_row() -> None:
    """Blocks of products (float32 on a CPU) and fused kernels (else): shared keys, singles, several heads a key."""
    generator = torch.Generator().manual_seed(0)
    prompt = list(range(50))
    rows = [Row([*prompt, *([100 + n] * n)], (0,), 0) for n in (1, 300, 140)] + [Row([7] * 9, (0,), 1)]
    pack = lay_out(rows, share=True)
    tokens = len(pack.ids)
    query = torch.randn(1, 4, tokens, 8, generator=generator)
    key, value = (torch.randn(1, 2, tokens, 8, generator=generator) for _ in range(2))
    whole = torch.zeros(tokens, tokens, dtype=torch.bool)
    for s in pack.segments:
        whole[s.start : s.end, s.trunk_start : s.trunk_end] = True
        whole[s.start : s.end, s.start : s.end] = torch.ones(s.end - s.start, s.end - s.start, dtype=torch.bool).tril()
    scores = query @ key.repeat_interleave(2, 1).transpose(2, 3) * 0.3
    weights = torch.softmax(scores.masked_fill(~whole, float("-inf")), -1)
    expected = (weights @ value.repeat_interleave(2, 1)).transpose(1, 2)
    cpu, places = torch.device("cpu"), [0, 48, 49, 50, 51, *range(100, 300), tokens - 1]
    for dtype in (torch.float32, torch.bfloat16):  # of the model: the tensors here are float32 for both
        every = Work(pack.segments, cpu, dtype)
        assert every.products == (dtype == torch.float32)
        found = packed_attention(query[0], key[0], value[0], 0.3, every)
        assert torch.allclose(found, expected[0].flatten(1), atol=1e-5)
        last = Work(pack.spans(places), cpu, dtype)
        found = packed_attention(query[0, :, places], key[0], value[0], 0.3, last)
        assert torch.allclose(found, expected[0, places].flatten(1), atol=1e-5)
        padded = packed_attention(torch.cat([query[0], query[0, :, :3]], 1), key[0], value[0], 0.3, every)
        assert torch.equal(padded[tokens:], torch.zeros(3, 32))  # tokens of no segment


@pytest.mark.skipif(not has_onednn(), reason="PyTorch has no oneDNN for this processor")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tokens", [1, 7, 64, 1000])
def test_a_linear_layer_by_onednn_equals_the_plain_one(bias: bool, tokens: int) -> None:
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(96, 40, bias=bias), torch.randn(1, tokens, 96)
    with torch.inference_mode():
        expected = linear(x)
        found = PackedLinear(linear)(x)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-5)
    assert not hasattr(linear, "weight")  # it is not in memory twice


@pytest.mark.parametrize(
    ("layout", "dtype", "packed"),
    [
        ("shared", torch.float32, True),
        ("packed", torch.float32, True),
        ("shared", torch.bfloat16, False),
        ("padded", torch.float32, False),  # as the stock model runs it
    ],
)
def test_onednn_takes_all_linear_layers_of_a_packed_float32_backbone(
    tmp_path: Path, layout: Any, dtype: torch.dtype, packed: bool
) -> None:
    model = ArmoRM(armorm(tmp_path), name="t", dtype=dtype, device=torch.device("cpu"), layout=layout)
    kinds = [type(module).__name__ for module in model.reader.backbone.modules() if "Linear" in type(module).__name__]
    assert set(kinds) == {"PackedLinear" if packed and has_onednn() else "Linear"}
    assert len(kinds) == 7 * model.reader.backbone.config.num_hidden_layers
