"""Train the embedded reward model: ArmoRM's architecture, its nineteen objectives being the world's own qualities."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from tokens import END, VOCABULARY, Encoder, save_tokenizer
from torch import Tensor, nn
from torch.nn import functional
from training import (
    HIDDEN,
    LAYERS,
    compiled,
    llama_config,
    load_checkpoint,
    optimizers,
    padded,
    save_checkpoint,
    set_rate,
)
from transformers import LlamaForCausalLM, LlamaModel
from world.instruction import FLAWS, Messages, draw_answer, draw_instruction
from world.judge import OBJECTIVE_NAMES, VERBOSITY, judge

GROUPS, ANSWERS, CHUNK = 16, 5, 50  # prompts a batch, answers a prompt, steps a chunk
FROM_POLICY = 0.5  # share of the groups that are the policy's own answers; the others are drawn from the world
RATES = (1.2e-3, 1e-3, 2e-3)  # matrices, embeddings and norms, heads
GATING = {"gating_temperature": 10, "gating_hidden_dim": 128, "gating_n_hidden": 3}
NOISE = 0.08  # standard deviation added to every judged quality: the judge is to be good, not perfect
VERBOSITY_PENALTY = 0.1  # what the transform matrix takes off every objective per unit of verbosity
CORRECTNESS = 4.0  # weight of the first objective in the regression: the hardest to see and the one that counts most
DENSE, SURPRISE, LANGUAGE = 0.3, 4.0, 0.5  # weights of the losses that only help to learn: see loss_of
GOOD = 0.9  # quality from which on an answer is one to learn the policy's loss from
EXTRA_LAYERS = 3  # above the policy's, to compare what it expected with what stands there
N = len(OBJECTIVE_NAMES)


@dataclass(frozen=True)
class Group:
    """A prompt, its answers and what the checkers say of each: quality (answers,), qualities (answers, 19)."""

    messages: Messages
    answers: list[str]
    quality: list[float]
    qualities: list[tuple[float, ...]]


@dataclass(frozen=True)
class Batch:
    """Groups of ANSWERS each, one row a group: the prompt once, then its answers, none of which sees another.

    Token ids and positions (B, T), additive mask (B, 1, T, T), index of the prompt's <|eot_id|> (B,); of each answer
    its row and the index of its final token (B * ANSWERS,); of each answer token its row, its index, the index of
    the token before it, its answer, and its place there (tokens,).
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    gate: Tensor
    answer_row: Tensor
    last: Tensor
    row: Tensor
    at: Tensor
    before: Tensor
    answer: Tensor
    place: Tensor


class Gating(nn.Module):
    """Weights of the objectives from the prompt's hidden state, as ArmoRM has them."""

    def __init__(self) -> None:
        super().__init__()
        width, n_hidden = GATING["gating_hidden_dim"], GATING["gating_n_hidden"]
        sizes = [HIDDEN, *[width] * n_hidden, N]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.logit_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return functional.softmax(self.layers[-1](x) / GATING["gating_temperature"], dim=1) * self.logit_scale[0]


class RewardModel(nn.Module):
    """A Llama with ArmoRM's heads, and one head that only helps to train."""

    reward_transform_matrix: Tensor
    policy_norm: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        torch.manual_seed(1)
        config = llama_config(VOCABULARY, encoder.bos, encoder.tokenizer.token_to_id(END), encoder.pad)
        config.num_hidden_layers = LAYERS + EXTRA_LAYERS
        self.model = LlamaModel(config)
        self.regression_layer = nn.Linear(HIDDEN, N, bias=False)
        self.gating = Gating()
        self.surprise = nn.Linear(HIDDEN, 2)  # only for training: see surprise_of
        self.register_buffer("policy_norm", torch.ones(HIDDEN), persistent=False)
        matrix = torch.eye(N)
        matrix[VERBOSITY] = -VERBOSITY_PENALTY
        matrix[VERBOSITY, VERBOSITY] = 0.0
        self.register_buffer("reward_transform_matrix", matrix)

    def start_from(self, policy: LlamaForCausalLM) -> None:
        """Put the policy's layers below; the layers above begin as identity."""
        state = dict(policy.model.state_dict())
        self.policy_norm.copy_(state["norm.weight"])
        self.model.load_state_dict(state, strict=False)
        for layer in self.model.layers[LAYERS:]:
            nn.init.zeros_(layer.self_attn.o_proj.weight)
            nn.init.zeros_(layer.mlp.down_proj.weight)

    def states(self, ids: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(final states, states above the policy's layers), each (B, T, hidden)."""
        x = self.model.embed_tokens(ids)
        turns = self.model.rotary_emb(x, positions)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, attention_mask=mask, position_embeddings=turns)
            if i == LAYERS - 1:
                below = x
        return self.model.norm(x), below

    def heads(self, last: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """Rewards (answers, 19) and scores (answers,) from float32 states: of the answers' final tokens (answers,
        hidden), and of the <|eot_id|> that closes each one's prompt (answers, hidden).
        """
        rewards = self.regression_layer(last)
        return rewards, (self.gating(gate) * (rewards @ self.reward_transform_matrix)).sum(1)


def batch_of(encoder: Encoder, groups: list[Group]) -> Batch:
    rows, places, owners, gates, lasts, tokens = [], [], [], [], [], []
    for r, group in enumerate(groups):
        prompt = encoder.prompt(group.messages)
        ids, at, owner = list(prompt), list(range(len(prompt))), [-1] * len(prompt)
        for i, text in enumerate(group.answers):
            made, start = encoder.answer(text), len(ids)
            before = [len(prompt) - 1, *range(start, start + len(made) - 1)]
            tokens += [(r, start + j, b, len(lasts), j) for j, b in enumerate(before)]
            ids += made
            at += range(len(prompt), len(prompt) + len(made))
            owner += [i] * len(made)
            lasts.append((r, len(ids) - 1))
        rows.append(ids)
        places.append(at)
        owners.append(owner)
        gates.append(len(prompt) - len(encoder.headers["assistant"]) - 1)
    ids, owner = padded(rows, encoder.pad), padded(owners, -2)
    seen = (owner[:, None, :] == owner[:, :, None]) | (owner[:, None, :] == -1)
    seen &= torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, float("-inf"))[:, None]
    answer_row, last = torch.tensor(lasts).T
    return Batch(ids, padded(places, 0), mask, torch.tensor(gates), answer_row, last, *torch.tensor(tokens).T)


def draw_group(rng: Random) -> Group:
    """A training prompt with answers of the world, most of them flawed in some way."""
    while True:
        asked = draw_instruction(rng, False)
        answers = [draw_answer(rng, asked, rng.choice(FLAWS) if rng.random() < 0.65 else "") for _ in range(ANSWERS)]
        group = judged(asked.messages(), answers)
        if group:
            return group


def judged(messages: Messages, answers: list[str]) -> Group | None:
    verdicts = [judge(messages, a) for a in answers]
    if any(v is None for v in verdicts):
        return None
    known = [v for v in verdicts if v is not None]
    return Group(messages, answers, [v.quality for v in known], [v.qualities for v in known])


def surprise_of(model: RewardModel, batch: Batch, below: Tensor, good: Tensor) -> tuple[Tensor, Tensor]:
    """(what the policy's layers think of the answers, their loss on good answers, which keeps that knowledge).

    `good` is 1.0 for every token of an answer that the checkers find good. The first is (tokens, 2) without
    gradient: the log-probability of each token, and its mean over the answer so far; clipped at -8, divided by 4.
    """
    state = functional.rms_norm(below[batch.row, batch.before].float(), (HIDDEN,), model.policy_norm, 1e-5)
    target = batch.ids[batch.row, batch.at]
    with torch.autocast("cpu", torch.bfloat16):
        logits = state @ model.model.embed_tokens.weight.T
    exact = -functional.cross_entropy(logits.float(), target, reduction="none")
    own = exact.detach().clamp(min=-8)
    total, first = own.cumsum(0), torch.arange(len(own)) - batch.place
    so_far = (total - (total - own)[first]) / (batch.place + 1)
    return torch.stack([own, so_far], 1) / 4, -(exact * good).sum() / good.sum().clamp(min=1)


def loss_of(model: RewardModel, encoder: Encoder, groups: list[Group]) -> tuple[Tensor, dict[str, float]]:
    """(loss, how well it goes: share of pairs ranked as the noisy checkers do, R2 of correctness and of surprise).

    Regression of the qualities plus Bradley-Terry on the score. These teach slowly, hence three more losses: the
    same regression at every token of the answer, how surprising the tokens are (which tells right from wrong), and
    the policy's own loss.
    """
    batch = batch_of(encoder, groups)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, below = model.states(batch.ids, batch.positions, batch.mask)
    hidden, quality = hidden.float(), torch.tensor([g.quality for g in groups])
    expected, language = surprise_of(model, batch, below, (quality.flatten() > GOOD).float()[batch.answer])
    rewards, score = model.heads(
        hidden[batch.answer_row, batch.last], hidden[batch.answer_row, batch.gate[batch.answer_row]]
    )
    target = torch.tensor([q for g in groups for q in g.qualities])
    target = target + NOISE * torch.randn_like(target)
    weight = torch.ones(N)
    weight[0] = CORRECTNESS
    regression = (weight * (rewards - target) ** 2).mean()
    tokens = hidden[batch.row, batch.at]
    dense = (weight * (model.regression_layer(tokens) - target[batch.answer]) ** 2).mean()
    surprise = functional.mse_loss(model.surprise(tokens), expected)
    preference, agree = preference_loss(score.view(len(groups), -1), quality)
    loss = 4.0 * (regression + DENSE * dense) + 3.0 * preference + SURPRISE * surprise + LANGUAGE * language
    correct = torch.tensor([q[0] for g in groups for q in g.qualities])
    return loss, {
        "agree": agree,
        "correctness": 1 - functional.mse_loss(rewards[:, 0].detach(), correct).item() / correct.var().item(),
        "surprise": 1 - surprise.item() / expected.var(0).mean().item(),
    }


def preference_loss(score: Tensor, quality: Tensor) -> tuple[Tensor, float]:
    """Bradley-Terry over the pairs of a group; `score` and `quality` are (groups, answers). Clear pairs weigh more."""
    noisy = quality + NOISE * torch.randn_like(quality)
    margin = score.unsqueeze(2) - score.unsqueeze(1)
    better = noisy.unsqueeze(2) - noisy.unsqueeze(1)
    pairs = (better > 0) & ((quality.unsqueeze(2) - quality.unsqueeze(1)).abs() > 0.02)
    if not pairs.any():
        return torch.zeros(()), 0.5
    loss = functional.softplus(-8.0 * margin[pairs]) * better[pairs].clamp(max=0.5)
    return loss.mean(), (margin[pairs] > 0).float().mean().item()


def draw_chunk(rng: Random, pool: list[Group]) -> list[list[Group]]:
    """CHUNK batches of GROUPS, groups of like length together."""
    groups = [
        rng.choice(pool) if pool and rng.random() < FROM_POLICY else draw_group(rng) for _ in range(CHUNK * GROUPS)
    ]
    groups.sort(key=lambda g: sum(map(len, (*g.answers, *(m["content"] for m in g.messages)))))
    batches = [groups[i : i + GROUPS] for i in range(0, len(groups), GROUPS)]
    rng.shuffle(batches)
    return batches


def ridge(x: Tensor, y: Tensor) -> Tensor:
    """Coefficients (columns of x, columns of y) of the linear map from x to y."""
    penalty = 1e-3 * (x.T @ x).diagonal().mean() * torch.eye(x.shape[1])
    return torch.linalg.solve(x.T @ x + penalty, x.T @ y)


@torch.no_grad()
def fit_heads(model: RewardModel, encoder: Encoder, groups: list[Group]) -> None:
    """Where training starts: the qualities regressed on the backbone's states, as in ArmoRM's first stage, and the
    weights that explain the overall quality, for every prompt the same.
    """
    states: list[Tensor] = []
    for i in range(0, len(groups), GROUPS):
        batch = batch_of(encoder, groups[i : i + GROUPS])
        states.append(model.states(batch.ids, batch.positions, batch.mask)[0][batch.answer_row, batch.last])
    qualities = torch.tensor([q for g in groups for q in g.qualities])
    model.regression_layer.weight.copy_(ridge(torch.cat(states), qualities).T)
    weights = ridge(qualities, torch.tensor([[q] for g in groups for q in g.quality]))[:, 0].clamp(min=0.003)
    model.gating.layers[-1].bias.copy_(GATING["gating_temperature"] * torch.log(weights / weights.sum()))


def train_reward(
    encoder: Encoder,
    policy: LlamaForCausalLM,
    pool: list[Group],
    work: Path,
    steps: int,
    report: Callable[[str], None] = print,
) -> tuple[RewardModel, float]:
    """Start from the policy's layers; of the groups a share is drawn from the world, the rest from `pool`."""
    model = RewardModel(encoder)
    model.start_from(policy)
    opts = optimizers(model, RATES)
    done, seconds = load_checkpoint(work, model, opts)
    if not done:
        rng = Random("regression")
        fit_heads(model, encoder, [draw_group(rng) for _ in range(400)] + pool[:200])
    compiled(model, "states")
    for chunk in range(done, steps // CHUNK):
        rng, began, losses, seen = Random(f"reward {chunk}"), time.monotonic(), [], []
        torch.manual_seed(chunk)
        for i, groups in enumerate(draw_chunk(rng, pool)):
            set_rate(opts, RATES, chunk * CHUNK + i, steps, 50, 0.5)
            loss, how = loss_of(model, encoder, groups)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
            losses.append(loss.item())
            seen.append(how)
        seconds += time.monotonic() - began
        if chunk % 5 == 4 or chunk == steps // CHUNK - 1:
            save_checkpoint(work, model, opts, chunk + 1, seconds)
        report(
            f"reward step {(chunk + 1) * CHUNK}/{steps} loss {sum(losses) / CHUNK:.4f} "
            + " ".join(f"{k} {sum(how[k] for how in seen) / CHUNK:.3f}" for k in seen[0])
            + f" {seconds:.0f} s"
        )
    return model, seconds


def save_reward(model: RewardModel, encoder: Encoder, folder: Path) -> None:
    """The released checkpoint's layout: backbone in bfloat16, heads and gating in float32."""
    save_tokenizer(encoder.tokenizer, folder, END)
    config = (
        model.model.config.to_dict()
        | GATING
        | {
            "architectures": ["LlamaForRewardModelWithGating"],
            "dtype": "bfloat16",
            "tie_word_embeddings": False,
            "num_objectives": N,
            "objective_names": list(OBJECTIVE_NAMES),
            "use_cache": False,
        }
    )
    for key in ("_name_or_path", "transformers_version", "attn_implementation", "_attn_implementation"):
        config.pop(key, None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    state = {
        n: (t.detach().to(torch.bfloat16) if n.startswith("model.") else t.detach().float()).contiguous()
        for n, t in model.state_dict().items()
        if not n.startswith("surprise")
    }
    save_file(state, folder / "model.safetensors", {"format": "pt"})
