"""A request as the laboratory knows it: what the router may see, and its true length."""

from dataclasses import dataclass
from typing import Literal

Priority = Literal["interactive", "batch"]

Prefix = tuple[tuple[int, int], ...]
"""A hash and the cumulative tokens at each message boundary of a prompt, the whole prompt last."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `output_tokens` is the truth that no policy may read before the end."""

    request_id: str
    model: str
    user: str
    session: str
    priority: Priority
    input_tokens: int
    prompt_prefix: Prefix
    output_tokens: int
    arrived_s: float
    reply_hash: int
    """Names the boundary behind the answer; a follow-up's prompt contains it."""
    output_limit: int | None = None

    @property
    def whole(self) -> Prefix:
        """The prefix that is cached once the answer is written."""
        return (*self.prompt_prefix, (self.reply_hash, self.input_tokens + self.output_tokens))


def common_tokens(one: Prefix, other: Prefix) -> int:
    """Tokens up to the last boundary that both prompts share from their start."""
    shared = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        shared = mine[1]
    return shared
