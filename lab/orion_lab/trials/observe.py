"""An independent observer of the reply streams: live while they fill, and again at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import orjson
import redis
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from orion_contracts import keys
from orion_lab.entries import Entry

Fields = Mapping[bytes, bytes]
_POLL_S: Final = 0.1
_LINGER_S: Final = 8.0
"""A stream that we name is watched this long after its final: longer than lease and liveness."""


def read_entry(stream: str, entry_id: bytes, fields: Fields) -> Entry:
    """One entry as the checker knows it; what is no answer of ours has the kind `alien`."""
    try:
        document = cast(dict[str, Any], orjson.loads(fields[b"payload"]))
        kind = fields[b"type"].decode()
        text = (
            "".join(str(delta.get("content") or "") for delta in document["deltas"])
            if kind == "chunk"
            else str(document.get("response", ""))
        )
        return Entry(
            stream,
            entry_id.decode(),
            str(document["request_id"]),
            kind,
            int(document.get("attempt", 0)),
            int(document.get("seq", 0)),
            text,
            str(document.get("status", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Entry(stream, entry_id.decode(), "", "alien", 0)


class Observer:
    """Follows given streams for as long as `run` runs, across the store's restarts."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=5.0)
        self._clock = clock
        self._last: dict[str, bytes] = {}
        self._until: dict[str, float] = {}
        self.seen: list[Entry] = []
        self.answered: dict[str, float] = {}
        """Request id to the time of its first final on the stream where its client waits."""
        self.twice: set[str] = set()
        """Requests that got a second final on one stream: a broken promise, seen as it breaks."""
        self._finals: set[tuple[str, str]] = set()
        self._waits: dict[str, str] = {}
        self._answer = asyncio.Event()

    async def next_answer(self) -> None:
        """Wait until one more request is answered."""
        self._answer.clear()
        await self._answer.wait()

    def watch(self, stream: str, request_id: str = "") -> None:
        """Follow a stream from its beginning. With a request id: only until it is answered."""
        self._last.setdefault(stream, b"0")
        if request_id:
            self._waits[request_id] = stream

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                await self._poll()
                await asyncio.sleep(_POLL_S)
        finally:
            await self._store.aclose()

    async def _poll(self) -> None:
        now_s = self._clock()
        for stream in [name for name, until_s in self._until.items() if until_s < now_s]:
            del self._until[stream]
            self._last.pop(stream, None)
        if not self._last:
            return
        try:
            reply = cast(Any, await self._store.xread(cast(Any, dict(self._last)), count=1000))
        except (RedisError, OSError):
            return  # the store is being killed: what was missed is read on from here
        for name, entries in reply:
            stream = name.decode()
            for entry_id, fields in entries:
                self._last[stream] = entry_id
                self._note(read_entry(stream, entry_id, fields), now_s)

    def _note(self, entry: Entry, now_s: float) -> None:
        self.seen.append(entry)
        if entry.kind == "final":
            place = (entry.request_id, entry.stream)
            if place in self._finals:
                self.twice.add(entry.request_id)
            self._finals.add(place)
        if entry.kind == "final" and self._waits.get(entry.request_id) == entry.stream:
            self.answered.setdefault(entry.request_id, now_s)
            self._answer.set()
            if entry.stream.startswith(keys.RESPONSES):
                self._until[entry.stream] = now_s + _LINGER_S


def read_all(store: redis.Redis, streams: Iterable[str]) -> list[Entry]:
    """Everything that the streams hold now."""
    names = list(dict.fromkeys(streams))
    found: list[Entry] = []
    for start in range(0, len(names), 500):
        pipe = store.pipeline(transaction=False)
        for name in names[start : start + 500]:
            pipe.xrange(name)
        for name, entries in zip(names[start : start + 500], pipe.execute(), strict=True):
            found += [read_entry(name, entry_id, fields) for entry_id, fields in entries]
    return found
