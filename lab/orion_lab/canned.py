"""The canned engine: deterministic tokens without a model."""

import json
import re
from collections.abc import AsyncIterator
from functools import lru_cache
from hashlib import sha256
from typing import Final

from orion_lab.engine import Task

DEFAULT_TOKENS: Final = 16
MOST_TOKENS: Final = 8192
"""Whatever a request asks for: a real engine has its bound, too (ten times the context)."""
_CHARS_PER_TOKEN: Final = 4
_ASKED_WORDS: Final = re.compile(r"\bin exactly (\d{1,4}) words\b")
"""A length that the prompt asks for: what no router can know from the request's options."""
_TEMPLATE_TOKENS: Final = 8

_KNOWN: Final = (
    ("capital of france", "The capital of France is Paris."),
    ("capital of germany", "The capital of Germany is Berlin."),
    ("capital of italy", "The capital of Italy is Rome."),
    ("2 + 2", "2 + 2 = 4."),
    ("who are you", "I am a simulated model on a simulated board."),
)
_WORDS: Final[tuple[str, ...]] = (
    *("a", "and", "arm", "at", "board", "bring", "cup", "door", "drive", "find", "from", "go"),
    *("grip", "hand", "in", "is", "kitchen", "left", "lift", "look", "map", "move", "near", "of"),
    *("on", "open", "path", "plan", "put", "red", "right", "robot", "room", "safe", "see", "slow"),
    *(
        "small",
        "stop",
        "table",
        "take",
        "the",
        "then",
        "to",
        "turn",
        "wait",
        "walk",
        "wall",
        "with",
    ),
)


def prompt_tokens(task: Task) -> int:
    """Length of the prompt: four characters to a token, and the chat template around them."""
    template = 0 if task.prompt is not None else _TEMPLATE_TOKENS * len(task.messages)
    return max(1, len(task.text) // _CHARS_PER_TOKEN + template)


def answer(task: Task) -> tuple[tuple[str, ...], str]:
    """The tokens of the answer and the reason it ended; the same task gives the same answer."""
    question = task.messages[-1].content if task.messages else task.prompt or ""
    pieces = _known(question.lower()) if task.salt == "" else None
    if task.format is not None:
        pieces = _split(json.dumps({"answer": "".join(pieces or ("ok",))}))
    if pieces is None:
        limit = min(task.num_predict, MOST_TOKENS) if task.num_predict > 0 else DEFAULT_TOKENS
        reason = "length" if task.num_predict > 0 else "stop"
        if (wish := _ASKED_WORDS.search(question)) is not None:
            most = task.num_predict if task.num_predict > 0 else MOST_TOKENS
            limit = min(int(wish[1]), most)
            reason = "length" if limit < int(wish[1]) else "stop"
        pieces = _words(f"{task.salt}\0{task.seed or 0}\0{task.text}", limit)
    elif 0 < task.num_predict < len(pieces):
        pieces, reason = pieces[: task.num_predict], "length"
    else:
        reason = "stop"
    return _until_stop(pieces, task.stop, reason)


def _known(question: str) -> tuple[str, ...] | None:
    return next((_split(text) for key, text in _KNOWN if key in question), None)


@lru_cache(maxsize=64)
def _split(text: str) -> tuple[str, ...]:
    first, *rest = text.split(" ")
    return (first, *(f" {word}" for word in rest))


@lru_cache(maxsize=256)
def _words(key: str, count: int) -> tuple[str, ...]:
    digest = sha256(key.encode()).digest()
    # A linear congruential generator over the digest: no random object per request.
    state: int = int.from_bytes(digest[:8])
    words: list[str] = []
    for index in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        word = _WORDS[(state >> 33) % len(_WORDS)]
        words.append(f" {word}" if index else word.capitalize())
    return tuple(words)


def _until_stop(
    pieces: tuple[str, ...], stops: tuple[str, ...], reason: str
) -> tuple[tuple[str, ...], str]:
    if not stops:
        return pieces, reason
    text = ""
    kept: list[str] = []
    for piece in pieces:
        start = len(text)
        text += piece
        found = min(
            (at for stop in stops if (at := text.find(stop, max(0, start - len(stop)))) >= 0),
            default=-1,
        )
        if found >= 0:
            head = text[start:found]
            return (*kept, *([head] if head else [])), "stop"
        kept.append(piece)
    return tuple(kept), reason


class CannedGeneration:
    """An answer that is known from the start."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._pieces, self.done_reason = answer(task)

    @property
    def output_tokens(self) -> int:
        """See `Generation`."""
        return len(self._pieces)

    async def prompt_tokens(self) -> int:
        """See `Generation`."""
        return prompt_tokens(self._task)

    async def tokens(self) -> AsyncIterator[str]:
        """See `Generation`."""
        for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        """Nothing to free."""


class CannedEngine:
    """Deterministic tokens from the prompt and the seed, at no cost."""

    name = "canned"

    def generate(self, task: Task) -> CannedGeneration:
        """See `Engine`."""
        return CannedGeneration(task)

    def counted(self) -> dict[str, int]:
        """See `Engine`: nothing is computed."""
        return {}

    def close(self) -> None:
        """Nothing to free."""
