"""Tokens on their way out: coalesced into chunks, kept whole for the final.

The engine's token boundaries are kept (`deltas`). A chunk that was handed out keeps its number and
content until the ledger took it, so that a repeated emit says the same thing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio
import orjson

from orion_contracts.stamp import VERSION, iso_now

MAX_ANSWER_BYTES = 4 * 1024 * 1024

Delta = dict[str, Any]
"""`content`, `thinking` and `tool_calls` of one token, where not empty."""


def dumps(document: object) -> bytes:
    """JSON, whatever an engine puts into its texts: half a surrogate pair becomes a `?`."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def size(text: str) -> int:
    """Bytes, as the store will hold them."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Outbox:
    """What one attempt has produced. `wake` is set when there is something new to look at."""

    def __init__(
        self, request_id: str, attempt: int, source: str, stream: bool,
        more: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`more`: what else the first chunk tells."""
        head = {
            "version": VERSION,
            "request_id": request_id,
            "attempt": attempt,
            "source": source,
        }
        self._head = orjson.dumps(head)[:-1]
        self._stream = stream
        self._more = b"," + orjson.dumps(more)[1:-1] if more else b""
        self._waiting: list[Delta] = []
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._bytes = 0
        self.tool_calls: list[Mapping[str, Any]] = []
        self.seq = 0
        self.tokens = 0
        self.wake = anyio.Event()

    def add(self, delta: Delta) -> None:
        """Take one token from the engine."""
        if content := delta.get("content"):
            self._content.append(content)
            self._bytes += size(content)
        if thinking := delta.get("thinking"):
            self._thinking.append(thinking)
            self._bytes += size(thinking)
        if calls := delta.get("tool_calls"):
            self.tool_calls.extend(calls)
        self.tokens += 1
        if self._stream:
            self._waiting.append(delta)
            self.wake.set()

    @property
    def full(self) -> bool:
        """Whether the answer passes what a store should hold."""
        return self._bytes > MAX_ANSWER_BYTES

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._waiting)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._content)

    @property
    def thinking(self) -> str:
        """The reasoning so far."""
        return "".join(self._thinking)

    def take_chunk(self, residency: str, queue_ms: int) -> bytes:
        """The next chunk's JSON (its number is `seq`); empty when nothing waits.

        The first one also tells the residency and how long the request was queued.
        """
        if not self._waiting:
            return b""
        deltas, self._waiting = self._waiting, []
        self.seq += 1
        facts = b""
        if self.seq == 1:
            facts = b',"residency":"%b","queue_ms":%d%b' % (
                residency.encode(), queue_ms, self._more,
            )  # fmt: skip
        return b'%b,"seq":%d,"timestamp":"%b"%b,"deltas":%b}' % (
            self._head, self.seq, iso_now().encode(), facts, dumps(deltas),
        )  # fmt: skip
