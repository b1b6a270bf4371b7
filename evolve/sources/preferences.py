"""Existing preference data: a prompt with a chosen and a rejected response, and the rewards that the data has.

The forms that published datasets have: prompt, chosen and rejected as text, as messages, as whole conversations or as
transcripts; rewards in columns of many names, in `metadata`, as a margin, or as the scores of all responses (SimPO).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evolve.sources.columns import taken_along
from evolve.sources.conversation import RowDropped, exchange, unpacked, whole
from evolve.sources.hub import open_hub
from evolve.sources.lines import Row, Unreadable
from evolve.sources.location import locate
from evolve.sources.messages import messages_of
from evolve.sources.preference_columns import ALL, METADATA, ROLES, Columns, find_columns
from evolve.sources.rows import Source, open_files
from prompts import Message
from prompts.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """A row: the prompt, responses to it with their rewards (None where the data has none), and which of them are the
    pair. Of margins alone the rejected response has the reward 0.
    """

    messages: list[Message]
    texts: list[str]
    rewards: list[float | None]
    chosen: int
    rejected: int


@dataclass(frozen=True)
class Preferences:
    """An opened dataset. Nothing is held: each `rows` reads it again. With `all_responses` a row has all that its
    prompt was answered, where the data has them, not the pair alone.
    """

    source: Source
    columns: Columns
    all_responses: bool = False

    def rows(self) -> Iterator[Given | RowDropped]:
        """Every row, or why it is none."""
        named = [getattr(self.columns, role) for role in ROLES]
        wanted = dict.fromkeys([*named, *taken_along(self.columns.prompt), METADATA])
        for row in self.source.rows([name for name in wanted if name in self.source.columns]):
            try:
                yield _given(row, self.columns, self.all_responses)
            except RowDropped as drop:
                yield drop


def open_preferences(
    source: str, *, split: str | None = None, named: Mapping[str, str] | None = None, all_responses: bool = False
) -> Preferences:
    """Open a local file, a folder of files or a Hub dataset. `named` says which column is what, by the names of ROLES,
    where it is not found by its name. Raises UserError.
    """
    location = locate(source, split)
    opened = open_files(location) if location.files else open_hub(source, split)
    if not opened.columns:
        why = next((row.why for row in opened.rows(()) if isinstance(row, Unreadable)), "nothing in it")
        raise UserError(f"{source} has no row that can be read ({why}). Expected preference pairs, one a row.")
    columns = find_columns(source, opened.columns, _in_metadata(opened), named or {})
    if all_responses and not columns.responses:
        raise UserError(f"{source} has no column with all responses ({ALL[0][0]}); its pairs are all there is.")
    ignored = [name for name in opened.columns if name not in vars(columns).values() and name != METADATA]
    log.info("%s: read: %s%s", source, columns.told, f"; not read: {', '.join(ignored[:12])}" if ignored else "")
    return Preferences(opened, columns, all_responses)


def _in_metadata(opened: Source) -> tuple[str, ...]:
    """Names in the objects of `metadata`, of the first row."""
    if METADATA not in opened.columns:
        return ()
    first = next(iter(opened.rows([METADATA])), {})
    inner = first.get(METADATA) if isinstance(first, dict) else None
    return tuple(inner) if isinstance(inner, dict) else ()


def _given(row: Row, columns: Columns, all_responses: bool) -> Given:
    if isinstance(row, Unreadable):
        raise RowDropped("bad_row", row.why)
    texts, rewards = _all(row, columns)
    if not columns.chosen:
        known = [i for i, reward in enumerate(rewards) if reward is not None]
        if len(known) < 2:
            raise RowDropped("bad_pair", "fewer than two responses with a reward")
        best, worst = max(known, key=lambda i: rewards[i]), min(known, key=lambda i: rewards[i])  # type: ignore[arg-type,return-value]
        messages = _prompt(row, columns, [])
        if all_responses:
            return Given(messages, texts, rewards, best, worst)
        return Given(messages, [texts[best], texts[worst]], [rewards[best], rewards[worst]], 0, 1)
    sides = [_side(row, name, bool(columns.prompt)) for name in (columns.chosen, columns.rejected)]
    spoken = [asked for asked, _ in sides if asked]
    if len(spoken) == 2 and spoken[0] != spoken[1]:
        raise RowDropped("different_prompts", "chosen and rejected are conversations that differ before the answer")
    messages = _prompt(row, columns, spoken[0] if spoken else [])
    pair = [text for _, text in sides]
    own = _pair_rewards(row, columns)
    scores = [one if one is not None else _of(text, texts, rewards) for one, text in zip(own, pair, strict=True)]
    if not all_responses:
        return Given(messages, pair, scores, 0, 1)
    every = [*texts, *(text for text in dict.fromkeys(pair) if text not in texts)]
    values = [*rewards, *(scores[pair.index(text)] for text in every[len(texts) :])]
    return Given(messages, every, values, every.index(pair[0]), every.index(pair[1]))


def _side(row: dict[str, Any], column: str, has_prompt: bool) -> tuple[list[Message], str]:
    """The prompt that a side carries with it, empty where none, and the response. Text is the response itself where the
    data `has_prompt`s of its own, and the whole conversation where it has none.
    """
    value = row.get(column)
    if isinstance(value, str):
        return ([], whole(value)) if has_prompt else _stored(value)
    value = unpacked(value)
    if isinstance(value, (list, dict)):
        return exchange(value)
    raise RowDropped("bad_pair", f"{column} is a {type(value).__name__}, expected text or messages")


def _stored(value: str) -> tuple[list[Message], str]:
    """A conversation that was stored as text: JSON, or a transcript."""
    return exchange(value if value.lstrip().startswith("Human:") else unpacked(value))


def _prompt(row: dict[str, Any], columns: Columns, spoken: list[Message]) -> list[Message]:
    """The prompt of the conversations `spoken`, or of its own column, whichever says more; they must agree."""
    asked = messages_of(row, columns.prompt) if columns.prompt and (not spoken or row.get(columns.prompt)) else []
    if not asked or not spoken:
        if not (asked or spoken):
            raise RowDropped("empty", "no prompt")
        return asked or spoken
    if asked[-1]["content"].strip() not in [turn["content"].strip() for turn in spoken]:
        raise RowDropped("different_prompts", f"{columns.prompt} is not what the conversations answer")
    return asked if asked[-1] == spoken[-1] and len(asked) > len(spoken) else spoken


def _all(row: dict[str, Any], columns: Columns) -> tuple[list[str], list[float | None]]:
    """All responses of a row with their rewards, where the data has them."""
    if not columns.responses or not columns.scores:
        return [], []
    texts, scores = row.get(columns.responses), row.get(columns.scores)
    if not (isinstance(texts, list) and isinstance(scores, list) and len(texts) == len(scores)):
        raise RowDropped("bad_pair", f"{columns.responses} and {columns.scores} are no lists of one length")
    if not all(isinstance(text, str) for text in texts):
        raise RowDropped("bad_pair", f"{columns.responses} has something else than text in it")
    return [whole(text) for text in texts], [_number(score) for score in scores]


def _pair_rewards(row: dict[str, Any], columns: Columns) -> list[float | None]:
    if columns.score_chosen and columns.score_rejected:
        return [_number(_field(row, columns.score_chosen)), _number(_field(row, columns.score_rejected))]
    if columns.margin and not columns.scores:
        margin = _number(_field(row, columns.margin))
        return [margin, None if margin is None else 0.0]
    return [None, None]


def _of(text: str, texts: list[str], rewards: list[float | None]) -> float | None:
    return rewards[texts.index(text)] if text in texts else None


def _field(row: dict[str, Any], name: str) -> Any:
    inner = row.get(METADATA)
    return row[name] if name in row else inner.get(name) if isinstance(inner, dict) else None


def _number(value: Any) -> float | None:
    """A finite number, also as text; None for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
