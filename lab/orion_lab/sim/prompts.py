"""A loaded model's prompt cache: the conversations whose prefix a follow-up may skip."""

from math import inf

from orion_lab.sim.asks import Prefix, common_tokens


class Prompts:
    """The most recent conversations of one loaded model.

    `kept` is how many there may be (1: the slot's own; more: llama.cpp's host prompt cache);
    `room_tokens` bounds those beside the last one.
    """

    __slots__ = ("_conversations", "_kept", "_room_tokens")

    def __init__(self, kept: int = 1, room_tokens: float = inf) -> None:
        self._kept = kept
        self._room_tokens = room_tokens
        self._conversations: list[Prefix] = []  # most recent last

    def __len__(self) -> int:
        return len(self._conversations)

    def cached_tokens(self, prefix: Prefix) -> int:
        """Tokens of this prompt that need no prefill."""
        if not self._conversations:
            return 0
        return max(common_tokens(known, prefix) for known in self._conversations)

    def add(self, whole: Prefix) -> None:
        """A conversation went through: it replaces its own shorter past."""
        self._conversations = [known for known in self._conversations if known[-1] not in whole]
        self._conversations.append(whole)
        if self._kept < len(self._conversations):
            del self._conversations[: len(self._conversations) - self._kept]
        beside = sum(known[-1][1] for known in self._conversations[:-1])
        while beside > self._room_tokens:
            beside -= self._conversations.pop(0)[-1][1]
