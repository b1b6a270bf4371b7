"""A language model asked whether a response keeps to a principle: the log-odds of Yes against No.

nvidia/Llama-3.3-Nemotron-70B-Reward-Principle (arXiv 2509.21319) is trained for it; any causal model with a chat
template can be asked. After the conversation comes a user turn with the question, in the words of that model's card,
and the score is logit(Yes) - logit(No) of the answer's first token: a forward like any other, nothing is sampled.
Where a tokenizer has no single token for a word, its first token stands for it.
"""

from __future__ import annotations

from typing import Any

import torch

from generation.checkpoint import Tensors
from generation.forward.packing import Row
from prompts import Message
from prompts.errors import UserError
from rewards.backbone import load_backbone, misfit
from rewards.checkpoint_model import ConversationModel
from rewards.protocol import Group, Score

QUESTION = (  # as on the card: the model knows no other words
    "Evaluate the response to the previous prompt in terms of whether it satisfies this principle: {principle}. "
    "Only answer Yes or No."
)
HEAD, TIED = "lm_head.weight", "model.embed_tokens.weight"


class PrincipleJudge(ConversationModel):
    """A causal language model and a principle."""

    def __init__(self, folder: Any, *, principle: str, **how: Any) -> None:
        self.principle = principle
        super().__init__(folder, **how)

    def prepare(self, device: torch.device) -> Any:
        tensors = Tensors(self.folder)
        backbone = load_backbone(self.folder, tensors, head={HEAD}, dtype=self.dtype, device=device)
        self.cap = getattr(backbone.config, "final_logit_softcapping", None)  # Gemma 2
        name = HEAD if HEAD in tensors.shapes and not backbone.config.tie_word_embeddings else TIED
        hidden = backbone.config.hidden_size
        if len(shape := tensors.shapes.get(name, ())) != 2 or shape[1] != hidden:
            raise UserError(misfit(self.folder, [f"no {HEAD} of {hidden} columns, and no tied embeddings"]))
        ids = [self.chat.text_ids(word)[0] for word in ("Yes", "No")]
        if ids[0] == ids[1] or max(ids) >= shape[0]:
            raise UserError(
                f"{self.folder}: the tokenizer can't tell Yes from No by their first token. Give another model."
            )
        self.rows_of_head = tensors.rows(name, ids).float().to(self.head_device(device))
        return backbone

    def rows(self, group: Group, number: int = 0) -> list[Row | str]:
        """The conversation, the question, and where the answer is to begin."""
        asked = Message(role="user", content=QUESTION.format(principle=self.principle))
        conversations = [[*group.messages, Message(role="assistant", content=text), asked] for text in group.responses]
        return [
            ids if isinstance(ids, str) else "too_long" if len(ids) > self.limit else self.row(ids, "", number)
            for ids in self.chat.encode(conversations, generation_prompt=True)
        ]

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the last token, after which the answer comes."""
        return Row(ids, (len(ids) - 1,), number) if ids else "template_refused"

    @torch.inference_mode()
    def scores(self, states: torch.Tensor) -> list[Score]:
        logits = states[:, 0] @ self.rows_of_head.T
        if self.cap:
            logits = torch.tanh(logits / self.cap) * self.cap
        return [Score(value) for value in (logits[:, 0] - logits[:, 1]).tolist()]
