"""What to send on when a rerun repeats what was already sent (pure).

A board lost in mid-stream means a higher attempt that begins anew. With the stamped seed it says
the same words again: the part already sent is suppressed, the rest goes on. Where it says anything
else the client cannot be given a whole answer any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orion_router.events import Piece

Delta = Mapping[str, Any]
_VOICES = ("content", "thinking")


class Diverged(Exception):
    """The rerun says something else than what was already sent."""


class Replay:
    """Everything sent so far, and how far the current attempt has repeated it."""

    def __init__(self) -> None:
        self.attempt = 0
        self._sent: dict[str, list[str]] = {voice: [] for voice in _VOICES}
        self._tool_calls: list[Any] = []
        self._due: dict[str, str] = {}
        self._due_tools: list[Any] = []

    def feed(self, piece: Piece) -> Sequence[Delta]:
        """The part of a piece that the client has not seen. Raises Diverged."""
        if piece.attempt != self.attempt:
            if piece.attempt < self.attempt:
                return ()  # a straggler of a board that was given up
            self._begin(piece.attempt)
        if self._due or self._due_tools:
            return self._remember([d for d in map(self._unseen, piece.deltas) if d])
        return self._remember(piece.deltas)

    def rest(self, final: Mapping[str, Any]) -> Sequence[Delta]:
        """What the final's whole answer holds beyond the pieces. Raises Diverged."""
        rest: dict[str, Any] = {}
        for voice, name in (("thinking", "thinking"), ("content", "response")):
            whole = final.get(name)
            if whole is None:
                if self._due.get(voice):
                    raise Diverged
                continue
            sent = "".join(self._sent[voice])
            if not whole.startswith(sent):
                raise Diverged
            if len(whole) > len(sent):
                rest[voice] = whole[len(sent) :]
        calls = list(final.get("tool_calls") or ())
        if self._due_tools and not calls:
            raise Diverged
        if calls and not self._tool_calls:
            rest["tool_calls"] = calls
        return (rest,) if rest else ()

    @property
    def called_tools(self) -> bool:
        """Whether tool calls were already sent."""
        return bool(self._tool_calls)

    def _begin(self, attempt: int) -> None:
        self.attempt = attempt
        self._due = {v: text for v in _VOICES if (text := "".join(self._sent[v]))}
        self._due_tools = list(self._tool_calls)

    def _remember(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        content = self._sent["content"]
        for delta in deltas:
            if text := delta.get("content"):
                content.append(text)
            if len(delta) > 1 or not text:
                if thought := delta.get("thinking"):
                    self._sent["thinking"].append(thought)
                if calls := delta.get("tool_calls"):
                    self._tool_calls.extend(calls)
        return deltas

    def _unseen(self, delta: Delta) -> dict[str, Any]:
        fresh: dict[str, Any] = {}
        for voice in _VOICES:
            if not (text := delta.get(voice)):
                continue
            due = self._due.get(voice, "")
            if due.startswith(text):
                self._settle(voice, due[len(text) :])
            elif text.startswith(due):
                self._settle(voice, "")
                fresh[voice] = text[len(due) :]
            else:
                raise Diverged
        if calls := delta.get("tool_calls"):
            again, new = calls[: len(self._due_tools)], calls[len(self._due_tools) :]
            if [c.get("function") for c in again] != [
                c.get("function") for c in self._due_tools[: len(again)]
            ]:  # their ids are random
                raise Diverged
            self._due_tools = self._due_tools[len(again) :]
            if new:
                fresh["tool_calls"] = new
        return fresh

    def _settle(self, voice: str, due: str) -> None:
        if due:
            self._due[voice] = due
        else:
            self._due.pop(voice, None)
