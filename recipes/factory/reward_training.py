"""Train the embedded reward model on the checkers' judgements of the teacher's and the policy's answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from recipes.factory.reward_data import CHUNK, GROUPS, Batch, Group, batch_of, draw_chunk, draw_group
from recipes.factory.reward_model import GATING, N, RewardModel
from recipes.factory.tokens import Encoder
from recipes.factory.training import HIDDEN, compiled, load_checkpoint, optimizers, save_checkpoint, set_rate

RATES = (1.2e-3, 1e-3, 2e-3)  # matrices, embeddings and norms, heads
NOISE = 0.08  # standard deviation added to every named quality: the judge is to be good, not perfect
CORRECTNESS = 4.0  # weight of the first objective in the regression: the hardest to see and the one that counts most
GATE = 1.0  # weight of the gating's own loss
DENSE, SURPRISE, LANGUAGE = 0.3, 4.0, 0.5  # weights of the losses that only help to learn: see loss_of
GOOD = 0.9  # quality from which on an answer is one to learn the policy's loss from


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
    """(loss, how well it goes: share of pairs ranked as the noisy checkers do, R2 of correctness and of surprise, what
    the weights and the world's have in common).

    Regression of the qualities, Bradley-Terry on the score, and the cross-entropy of the gating with the world's
    weights: with Bradley-Terry alone all weight ends on one quality, which the others then fold themselves into.
    These teach slowly, hence three more losses: the same regression at every token of the answer, how surprising the
    tokens are (which tells right from wrong), and the policy's own loss.
    """
    batch = batch_of(encoder, groups)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, below = model.states(batch.ids, batch.positions, batch.mask)
    hidden, quality = hidden.float(), torch.tensor([g.quality for g in groups])
    counts = torch.tensor([g.weights for g in groups])
    expected, language = surprise_of(model, batch, below, (quality.flatten() > GOOD).float()[batch.answer])
    rewards, weights, score = model.heads(
        hidden[batch.answer_row, batch.last], hidden[torch.arange(len(groups)), batch.gate]
    )
    target = torch.tensor([q for g in groups for q in g.qualities])
    target = target + NOISE * torch.randn_like(target)
    weight = torch.ones(N)
    weight[0] = CORRECTNESS
    regression = (weight * (rewards - target) ** 2).mean()
    tokens = hidden[batch.row, batch.at]
    dense = (weight * (model.regression_layer(tokens) - target[batch.answer]) ** 2).mean()
    surprise = functional.mse_loss(model.surprise(tokens), expected)
    preference, agree = preference_loss(score, quality, (target.view(len(groups), -1, N) * counts[:, None]).sum(2))
    shares = weights / model.gating.logit_scale[0]
    gating = -(counts * shares.clamp(min=1e-9).log()).sum(1).mean()
    loss = 4.0 * (regression + DENSE * dense) + 3.0 * preference + GATE * gating
    loss = loss + SURPRISE * surprise + LANGUAGE * language
    correct = torch.tensor([q[0] for g in groups for q in g.qualities])
    return loss, {
        "agree": agree,
        "correctness": explained(functional.mse_loss(rewards[:, 0].detach(), correct), correct.var()),
        "weights": 1 - (shares.detach() - counts).abs().sum(1).mean().item() / 2,
        "surprise": explained(surprise.detach(), expected.var(0).mean()),
    }


def explained(error: Tensor, variance: Tensor) -> float:
    """R2; a batch in which all are nearly alike counts as one of little variance."""
    return 1 - (error / variance.clamp(min=1e-3)).item()


def preference_loss(score: Tensor, quality: Tensor, noisy: Tensor) -> tuple[Tensor, float]:
    """Bradley-Terry over the pairs of a group; all are (groups, answers), and `noisy` is the quality as it is judged.
    Clear pairs weigh more.
    """
    margin = score.unsqueeze(2) - score.unsqueeze(1)
    better = noisy.unsqueeze(2) - noisy.unsqueeze(1)
    pairs = (better > 0) & ((quality.unsqueeze(2) - quality.unsqueeze(1)).abs() > 0.02)
    if not pairs.any():
        return torch.zeros(()), 0.5
    loss = functional.softplus(-8.0 * margin[pairs]) * better[pairs].clamp(max=0.5)
    return loss.mean(), (margin[pairs] > 0).float().mean().item()


def ridge(x: Tensor, y: Tensor) -> Tensor:
    """Coefficients (columns of x, columns of y) of the linear map from x to y."""
    penalty = 1e-3 * (x.T @ x).diagonal().mean() * torch.eye(x.shape[1])
    return torch.linalg.solve(x.T @ x + penalty, x.T @ y)


@torch.no_grad()
def fit_heads(model: RewardModel, encoder: Encoder, groups: list[Group]) -> None:
    """Where training starts: the qualities regressed on the backbone's states, as in ArmoRM's first stage, and their
    mean weights for every prompt.
    """
    states: list[Tensor] = []
    for i in range(0, len(groups), GROUPS):
        batch = batch_of(encoder, groups[i : i + GROUPS])
        states.append(model.states(batch.ids, batch.positions, batch.mask)[0][batch.answer_row, batch.last])
    qualities = torch.tensor([q for g in groups for q in g.qualities])
    model.regression_layer.weight.copy_(ridge(torch.cat(states), qualities).T)
    weights = torch.tensor([g.weights for g in groups]).mean(0).clamp(min=0.003)
    final = model.gating.layers[-1]
    assert isinstance(final, nn.Linear)
    final.bias.copy_(GATING["gating_temperature"] * torch.log(weights))


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
