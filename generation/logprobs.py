"""Teacher forcing: log pi(y|x) of responses that are there already, whoever wrote them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from generation.response_tokens import Note, ResponseTokens, Said, Turn
from prompts import Message
from prompts.errors import UserError

if TYPE_CHECKING:
    from generation.forward.packing import Row

__all__ = ["Asked", "FakeForcing", "Forced", "Forcing", "Said", "TeacherForcing", "load_forcing"]

TOO_LONG = "too_long"
HeadDtype = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt (messages that end with a user turn) and responses to it."""

    messages: Sequence[Message]
    responses: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Forced:
    """What a model says of a response.

    `logp` is sum_t log p(y_t | x, y_<t), nats, temperature 1, full vocabulary, over `n_tokens` tokens, the one that
    closes the turn among them if `ended`; the share of thoughts is apart in `thought_*`. `cut` says that the response
    was longer than the context and these are its first tokens. With an `error` there is no log-probability.
    """

    logp: float = float("nan")
    n_tokens: int = 0
    ended: bool = True
    cut: bool = False
    thought_tokens: int = 0
    thought_logp: float = 0.0
    note: Note = ""
    error: str = ""


class Forcing(Protocol):
    """A model that says how likely responses are."""

    @property
    def limit(self) -> int:
        """The most tokens of prompt and response together."""
        ...

    @property
    def description(self) -> dict[str, Any]: ...

    def force(self, asked: Sequence[Asked]) -> list[list[Forced]]:
        """For every response of every prompt; the result has the shape of what was asked."""
        ...


def fitted(turn: Turn | str, limit: int, truncate: bool) -> tuple[Turn | str, bool]:
    """A turn that fits `limit` tokens, and whether it was cut for it: at its end, and only if one may `truncate`; what
    leaves no room for a token of the response is too long in either case.
    """
    if isinstance(turn, str) or len(turn.ids) <= limit:
        return turn, False
    if not truncate or turn.n_prompt + turn.n_thoughts >= limit:
        return TOO_LONG, False
    return Turn(turn.ids[:limit], turn.n_prompt, turn.n_thoughts, False, turn.note), True


class TeacherForcing:
    """A causal language model with its chat template (generation.forward.causal, generation.response_tokens)."""

    def __init__(self, reader: Any, tokens: ResponseTokens, *, limit: int | None, truncate: bool) -> None:
        self.reader, self.tokens, self.truncate = reader, tokens, truncate
        self.limit = min(limit or reader.limit, reader.limit)
        self.description: dict[str, Any] = {
            "engine": "teacher forcing",
            "logprobs_mode": "raw_logprobs",
            "dtype": str(reader.reader.backbone.dtype).removeprefix("torch."),
            "layout": reader.reader.layout,
            "context_length": self.limit,
        }

    def force(self, asked: Sequence[Asked]) -> list[list[Forced]]:
        turns = [
            [fitted(turn, self.limit, self.truncate) for turn in self.tokens.turns(one.messages, one.responses)]
            for one in asked
        ]
        rows = [_row(turn, i) for i, of_prompt in enumerate(turns) for turn, _ in of_prompt if isinstance(turn, Turn)]
        found = iter(self.reader.logps(rows))
        return [
            [
                Forced(error=turn) if isinstance(turn, str) else _forced(turn, cut, next(found))
                for turn, cut in of_prompt
            ]
            for of_prompt in turns
        ]


def _row(turn: Turn, group: int) -> Row:
    """What the model is to read: at each place before a token of the response."""
    from generation.forward.packing import Row

    return Row(turn.ids, tuple(range(turn.n_prompt - 1, len(turn.ids) - 1)), group)


def _forced(turn: Turn, cut: bool, logps: Any) -> Forced:
    if logps is None:
        return Forced(error="out_of_memory")
    terms = logps.double()
    total, thoughts = float(terms.sum()), float(terms[: turn.n_thoughts].sum())
    if not total > float("-inf"):
        return Forced(error="not_finite")
    return Forced(total, len(terms), turn.ended, cut, turn.n_thoughts, thoughts, turn.note)


class FakeForcing:
    """A deterministic model without weights, for dry runs: a token for each byte and one for the end of the turn."""

    def __init__(self, *, limit: int | None = None, truncate: bool = False, seed: str = "") -> None:
        self.limit, self.truncate, self.seed = limit or 65_536, truncate, seed
        self.description: dict[str, Any] = {"engine": "fake", "dtype": "float64", "context_length": self.limit}

    def force(self, asked: Sequence[Asked]) -> list[list[Forced]]:
        return [[self._one(one.messages, said) for said in one.responses] for one in asked]

    def _one(self, messages: Sequence[Message], said: Said) -> Forced:
        prompt = [b for m in messages for b in (0, *m["content"].encode("utf-8", "surrogatepass"))]
        text = said.text.encode("utf-8", "surrogatepass")
        whole = Turn([*prompt, *text, *([0] * said.ended)], len(prompt), 0, said.ended)
        turn, cut = fitted(whole, self.limit, self.truncate)
        if isinstance(turn, str):
            return Forced(error=turn)
        n = len(turn.ids) - turn.n_prompt
        digest = hashlib.blake2b(bytes(prompt) + b"\0" + text + self.seed.encode(), digest_size=4).digest()
        return Forced(-n * (0.5 + int.from_bytes(digest, "big") / 2**32), n, turn.ended, cut)


def load_forcing(
    model: str,
    *,
    dtype: str,
    head: HeadDtype = "float32",
    limit: int | None = None,
    truncate: bool = False,
    batch_tokens: int | None = None,
    arguments: dict[str, Any] | None = None,
) -> Forcing:
    """The model in folder or of Hub name `model`, checked on a short conversation against its own forward; "fake" and
    "fake:SEED" have no weights. Raises UserError.
    """
    if model == "fake" or model.startswith("fake:"):
        return FakeForcing(limit=limit, truncate=truncate, seed=model.removeprefix("fake"))
    import torch

    from generation.chat import load_chat
    from generation.checkpoint import resolve
    from generation.forward.causal import CausalReader

    folder = resolve(model)
    tokens = ResponseTokens(load_chat(folder, arguments=arguments).tokenizer)
    if dtype not in ("float32", "float16", "bfloat16"):
        raise UserError(f"dtype {dtype!r}: expected float32, float16 or bfloat16.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reader = CausalReader(folder, dtype=getattr(torch, dtype), device=device, head=head, batch_tokens=batch_tokens)
    (sample,) = tokens.turns([{"role": "user", "content": "Are there any?"}], [Said("Yes, 42 of them.")])
    if isinstance(sample, str):
        raise UserError(f"{folder}: the chat template writes no answer that follows its generation prompt ({sample}).")
    reader.check(_row(sample, 0))
    return TeacherForcing(reader, tokens, limit=limit, truncate=truncate)
