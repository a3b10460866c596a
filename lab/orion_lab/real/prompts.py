"""The simulator's requests as conversations: real words of the same lengths (pure).

A simulated board has four characters to a token and eight tokens around each message. An answer's
length is asked for in the prompt ("in exactly 60 words"), never in the options: nobody on the way
can know it before the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orion_lab.canned import answer, prompt_tokens
from orion_lab.engine import Message, Task
from orion_lab.sim.asks import Ask

SEED = 7
"""Of every request: a gateway may stamp one of its own on those without."""
_FILL = "and tell me a little more about what we said before, in plain words, "


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request as it is sent, and what its answer must be."""

    ask: Ask
    messages: tuple[Message, ...]
    reply: str

    @property
    def tokens(self) -> int:
        """As a board counts them; `ask.input_tokens` is what was wanted."""
        return prompt_tokens(Task(self.messages))


def prompts(asks: Sequence[Ask]) -> list[Prompt]:
    """For each request in order of arrival; a follow-up holds all turns before it."""
    made: list[Prompt] = []
    by_session: dict[str, Prompt] = {}
    for ask in asks:
        before = by_session.get(ask.session)
        messages = (*before.messages, Message("assistant", before.reply)) if before else ()
        prompt = _prompt(ask, messages)
        by_session[ask.session] = prompt
        made.append(prompt)
    return made


def _prompt(ask: Ask, before: tuple[Message, ...]) -> Prompt:
    # The first characters differ from every other conversation's: nothing is shared by chance.
    start = f"[{ask.request_id}] "
    end = f"Answer in exactly {ask.output_tokens} words."
    missing = ask.input_tokens - prompt_tokens(Task((*before, Message("user", start + end))))
    fill = (_FILL * (1 + 4 * max(0, missing) // len(_FILL)))[: 4 * max(0, missing)]
    messages = (*before, Message("user", start + fill + end))
    pieces, _ = answer(Task(messages, seed=SEED))
    return Prompt(ask, messages, "".join(pieces))
