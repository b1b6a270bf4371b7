"""What models share whose weights of objectives are read where the prompt ends: ArmoRM and QRM, both on Llama 3.

Where the header is. By default it is found by construction: it ends the prompt as the template renders it, and no
text of a user can imitate it (see generation.conversation). `compat=True` is the released classes to the letter
instead: special strings in texts are parsed, the reward is read before the first padding id, the gate at the last
header anywhere in the row, be it inside the response, and a row without a header has the error "header_not_found".
"""

from __future__ import annotations

from collections.abc import Sequence

from generation.forward.packing import Row
from prompts import Message
from rewards.checkpoint_model import ConversationModel, last_token
from rewards.protocol import Kind

HEADER = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"


class GatedModel(ConversationModel):
    """A model read at two places: at the header that closes the prompt, and at the last token. Rows have one error
    more: "header_not_found". `prepare` sets `header`, the ids of HEADER.
    """

    kind: Kind = "multi"
    header: list[int]

    def prompt_ids(self, messages: Sequence[Message]) -> list[int] | str:
        return [] if self.compat else self.chat.encode([messages], generation_prompt=True)[0]

    def row(self, ids: list[int], prompt: list[int] | str, number: int) -> Row | str:
        """Read at the header that closes the prompt, and at the last token."""
        if isinstance(prompt, str):
            return prompt
        if self.compat:
            gate, last = _last_index(ids, self.header), last_token(ids, self.pad_id)
        else:
            gate, last = len(prompt) - len(self.header), len(ids) - 1
            # The closing blank line may melt into white space that a template leaves before the response.
            if prompt[gate:] != self.header or ids[: len(prompt) - 1] != prompt[:-1]:
                return "header_not_found"
        return "header_not_found" if gate < 0 else Row(ids, (gate, last), number)


def _last_index(ids: list[int], pattern: list[int]) -> int:
    """Where `pattern` last begins in `ids`; -1 if nowhere."""
    for at in range(len(ids) - len(pattern), -1, -1):
        if ids[at : at + len(pattern)] == pattern:
            return at
    return -1
