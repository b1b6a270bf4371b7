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
from training import HIDDEN, LAYERS, llama_config, load_checkpoint, optimizers, padded, save_checkpoint, set_rate
from transformers import LlamaForCausalLM, LlamaModel
from world.instruction import FLAWS, Messages, draw_answer, draw_instruction
from world.judge import OBJECTIVE_NAMES, VERBOSITY, judge

GROUPS, ANSWERS, CHUNK = 6, 4, 50  # prompts a batch, answers a prompt, steps a chunk
RATES = (1.2e-3, 1e-3, 2e-3)  # matrices, embeddings and norms, heads
GATING = {"gating_temperature": 10, "gating_hidden_dim": 128, "gating_n_hidden": 3}
NOISE = 0.08  # standard deviation added to every judged quality: the judge is to be good, not perfect
VERBOSITY_PENALTY = 0.1  # what the transform matrix takes off every objective per unit of verbosity
CORRECTNESS = 4.0  # weight of the first objective in the regression: the hardest to see and the one that counts most
DENSE, SURPRISE, LANGUAGE = 0.3, 4.0, 0.5  # weights of the losses that only help to learn: see loss_of
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
    """Token ids (B, T), the positions of each row's final token and gate (B,), and the mask of its answer (B, T)."""

    ids: Tensor
    last: Tensor
    gate: Tensor
    answer: Tensor
    good: Tensor  # (B,): 1.0 for rows whose answer the checkers find good


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
    """A Llama with ArmoRM's heads; `forward` gives (rewards (B, 19), weights (B, 19), score (B,))."""

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

    def heads(self, last: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rewards, weights and score from float32 states (B, hidden): of a row's final token, and of the <|eot_id|>
        that closes its prompt.
        """
        rewards, weights = self.regression_layer(last), self.gating(gate)
        return rewards, weights, (weights * (rewards @ self.reward_transform_matrix)).sum(1)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.model(input_ids=batch.ids, use_cache=False).last_hidden_state.float()
        rows = torch.arange(len(hidden))
        return self.heads(hidden[rows, batch.last], hidden[rows, batch.gate])


def rows_of(encoder: Encoder, messages: Messages, answers: list[str]) -> tuple[list[list[int]], int]:
    """(token ids of each conversation, position of the gate): the gate is read before the assistant's header."""
    prompt = encoder.prompt(messages)
    return [prompt + encoder.answer(a) for a in answers], len(prompt) - len(encoder.headers["assistant"]) - 1


def batch_of(encoder: Encoder, groups: list[Group]) -> Batch:
    rows: list[list[int]] = []
    gates: list[int] = []
    for group in groups:
        made, gate = rows_of(encoder, group.messages, group.answers)
        rows += made
        gates += [gate] * len(made)
    ids, last, gate_at = padded(rows, encoder.pad), torch.tensor([len(r) - 1 for r in rows]), torch.tensor(gates)
    place = torch.arange(ids.shape[1])
    answer = (place > gate_at[:, None] + len(encoder.headers["assistant"])) & (place <= last[:, None])
    good = torch.tensor([float(q > 0.8) for g in groups for q in g.quality])
    return Batch(ids, last, gate_at, answer, good)


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


def surprise_of(model: RewardModel, batch: Batch, below: Tensor) -> tuple[Tensor, Tensor]:
    """(what the policy's layers think of the answers, their loss on good answers, which keeps that knowledge).

    The first is (tokens, 2) without gradient: the log-probability of each token, and its mean over the answer so far;
    clipped at -8 and divided by 4.
    """
    row, at = batch.answer.nonzero(as_tuple=True)
    state = functional.rms_norm(below[row, at - 1].float(), (HIDDEN,), model.policy_norm, 1e-5)
    logp = functional.log_softmax((state @ model.model.embed_tokens.weight.T).float(), 1)
    exact = logp.gather(1, batch.ids[row, at][:, None])[:, 0]
    own = exact.detach().clamp(min=-8)
    table = torch.zeros(batch.ids.shape)
    table[row, at] = own
    so_far = table.cumsum(1) / batch.answer.cumsum(1).clamp(min=1)
    good = batch.good[row]
    return torch.stack([own, so_far[row, at]], 1) / 4, -(exact * good).sum() / good.sum().clamp(min=1)


def loss_of(model: RewardModel, encoder: Encoder, groups: list[Group]) -> tuple[Tensor, float]:
    """(loss, share of pairs ranked as the noisy checkers do).

    Regression of the qualities plus Bradley-Terry on the score. These teach slowly, hence three more losses: the
    same regression at every token of the answer, how surprising the tokens are (which tells right from wrong), and
    the policy's own loss.
    """
    batch = batch_of(encoder, groups)
    with torch.autocast("cpu", torch.bfloat16):
        out = model.model(input_ids=batch.ids, use_cache=False, output_hidden_states=True)
        expected, language = surprise_of(model, batch, out.hidden_states[LAYERS])
    hidden, rows = out.last_hidden_state.float(), torch.arange(len(batch.ids))
    rewards, _, score = model.heads(hidden[rows, batch.last], hidden[rows, batch.gate])
    target = torch.tensor([q for g in groups for q in g.qualities])
    target = target + NOISE * torch.randn_like(target)
    weight = torch.ones(N)
    weight[0] = CORRECTNESS
    regression = (weight * (rewards - target) ** 2).mean()
    row, at = batch.answer.nonzero(as_tuple=True)
    dense = (weight * (model.regression_layer(hidden[row, at]) - target[row]) ** 2).mean()
    surprise = functional.mse_loss(model.surprise(hidden[row, at]), expected)
    preference, agree = preference_loss(score.view(len(groups), -1), torch.tensor([g.quality for g in groups]))
    return 4.0 * (regression + DENSE * dense) + 3.0 * preference + SURPRISE * surprise + LANGUAGE * language, agree


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


@torch.no_grad()
def fit_regression(model: RewardModel, encoder: Encoder, groups: list[Group]) -> None:
    """Ridge regression of the qualities on the backbone's states, as in ArmoRM's first stage: where training starts."""
    states: list[Tensor] = []
    hook = model.regression_layer.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
    for i in range(0, len(groups), 4 * GROUPS):
        model(batch_of(encoder, groups[i : i + 4 * GROUPS]))
    hook.remove()
    x, y = torch.cat(states), torch.tensor([q for g in groups for q in g.qualities])
    penalty = 1e-3 * (x.T @ x).diagonal().mean() * torch.eye(x.shape[1])
    model.regression_layer.weight.copy_(torch.linalg.solve(x.T @ x + penalty, x.T @ y).T)


def train_reward(
    encoder: Encoder,
    policy: LlamaForCausalLM,
    pool: list[Group],
    work: Path,
    steps: int,
    report: Callable[[str], None] = print,
) -> tuple[RewardModel, float]:
    """Start from the policy's layers; half the groups are drawn from the world, half from `pool`: the policy's."""
    model = RewardModel(encoder)
    model.start_from(policy)
    opts = optimizers(model, RATES)
    done, seconds = load_checkpoint(work, model, opts)
    if not done:
        rng = Random("regression")
        fit_regression(model, encoder, [draw_group(rng) for _ in range(400)] + pool[:200])
    for chunk in range(done, steps // CHUNK):
        rng, began, losses, hits = Random(f"reward {chunk}"), time.monotonic(), [], []
        torch.manual_seed(chunk)
        for i in range(CHUNK):
            set_rate(opts, RATES, chunk * CHUNK + i, steps, 50, 0.5)
            groups = [rng.choice(pool) if pool and rng.random() < 0.5 else draw_group(rng) for _ in range(GROUPS)]
            loss, hit = loss_of(model, encoder, groups)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                opt.step()
                opt.zero_grad(set_to_none=True)
            losses.append(loss.item())
            hits.append(hit)
        seconds += time.monotonic() - began
        if chunk % 5 == 4 or chunk == steps // CHUNK - 1:
            save_checkpoint(work, model, opts, chunk + 1, seconds)
        report(
            f"reward step {(chunk + 1) * CHUNK}/{steps} loss {sum(losses) / CHUNK:.4f} "
            f"agree {sum(hits) / CHUNK:.3f} {seconds:.0f} s"
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
