"""Plain HTTP clients of the behaviour checks: many at once, each telling what it saw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import orjson


@dataclass(frozen=True, slots=True)
class Chat:
    """One streamed request to /api/chat, sent `after_s` seconds into the check."""

    prompt: str
    model: str = "smollm2:135m"
    tokens: int = 8
    after_s: float = 0.0
    key: str = ""


@dataclass(slots=True)
class Seen:
    """What one client saw. `broken`: why its connection or stream did not end as it should."""

    chat: Chat
    status: int = 0
    text: str = ""
    pieces: int = 0
    done: bool = False
    error: str = ""
    broken: str = ""
    node: str = ""
    request_id: str = ""
    attempts: str = ""
    began_s: float = 0.0
    took_s: float = 0.0
    arrivals_s: list[float] = field(default_factory=list[float])

    @property
    def ok(self) -> bool:
        """Whether the client has its whole answer."""
        return self.status == 200 and self.done and not self.error and not self.broken


class Chatters:
    """Clients at work in one event loop. `seen` fills while they run."""

    def __init__(self, url: str, chats: Sequence[Chat], *, timeout_s: float = 60.0) -> None:
        self.seen = [Seen(chat) for chat in chats]
        self._url = url
        self._timeout = httpx.Timeout(timeout_s, connect=5.0)

    async def run(self) -> list[Seen]:
        """All of them, to their ends."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            trust_env=False, timeout=self._timeout, limits=limits
        ) as client:
            began_s = time.monotonic()
            await asyncio.gather(*(self._one(client, each, began_s) for each in self.seen))
        return self.seen

    async def _one(self, client: httpx.AsyncClient, seen: Seen, began_s: float) -> None:
        chat = seen.chat
        await asyncio.sleep(max(0.0, began_s + chat.after_s - time.monotonic()))
        seen.began_s = time.monotonic()
        headers = {"idempotency-key": chat.key} if chat.key else {}
        body = {
            "model": chat.model,
            "messages": [{"role": "user", "content": chat.prompt}],
            "options": {"num_predict": chat.tokens},
        }
        try:
            async with client.stream(
                "POST", f"{self._url}/api/chat", json=body, headers=headers
            ) as reply:
                seen.status = reply.status_code
                seen.node = reply.headers.get("x-orion-node", "")
                seen.request_id = reply.headers.get("x-orion-request-id", "")
                seen.attempts = reply.headers.get("x-orion-attempts", "")
                async for line in reply.aiter_lines():
                    self._take(seen, cast(dict[str, Any], orjson.loads(line)))
            if seen.status == 200 and not seen.done:
                seen.broken = "ended without done"
        except (httpx.HTTPError, ValueError) as error:
            seen.broken = type(error).__name__
        seen.took_s = time.monotonic() - seen.began_s

    @staticmethod
    def _take(seen: Seen, piece: dict[str, Any]) -> None:
        if "error" in piece:
            seen.error = str(piece["error"])
            return
        content = str(piece.get("message", {}).get("content", ""))
        if content:
            seen.pieces += 1
            seen.arrivals_s.append(time.monotonic())
        seen.text += content
        seen.done = bool(piece.get("done")) or seen.done


def tally(seen: Sequence[Seen]) -> str:
    """`30 ok`, or with what else was seen."""
    counts: dict[str, int] = {}
    for each in seen:
        if each.ok:
            name = "ok"
        elif each.broken:
            name = f"broken ({each.broken})"
        elif each.error and each.status == 200:
            name = "200 with an error"
        else:
            name = f"HTTP {each.status}"
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items())
