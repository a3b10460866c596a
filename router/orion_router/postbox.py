"""The router's ear: one blocking read over its mailbox and the planners' doorbell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.hotline import Hotline
from orion_contracts.streams import read_streams
from orion_router.bell import Bell
from orion_router.events import read_event
from orion_router.follower import Follower

log = logging.getLogger(__name__)

BLOCK_MS = 1000
BATCH = 512
TTL_MS = 60_000
BEAT_S = 10.0

Ring = Callable[[Bell], None]
"""Takes one entry of the planners' doorbell."""


class Mailbox:
    """Hands mailbox entries to followers and doorbell entries to the planner.

    An entry that is lost (a store restored from an older copy, a trimmed stream) is found by the
    gap in (attempt, seq) or by the desk's quiet check, and read from the durable stream.
    """

    def __init__(self, store: Redis, router: str, on_ring: Ring) -> None:
        self._store = store
        self.key = keys.mailbox(router)
        self._on_ring = on_ring
        self._followers: dict[str, list[Follower]] = {}
        self._last: dict[str, str] = {}

    def add(self, follower: Follower) -> None:
        """Begin to feed a follower."""
        self._followers.setdefault(follower.request_id, []).append(follower)

    def remove(self, follower: Follower) -> None:
        """Stop feeding it."""
        rest = [f for f in self._followers.get(follower.request_id, []) if f is not follower]
        if rest:
            self._followers[follower.request_id] = rest
        else:
            self._followers.pop(follower.request_id, None)

    def open_followers(self) -> list[Follower]:
        """All followers that have not seen a final."""
        return [f for group in self._followers.values() for f in group if f.final is None]

    async def open(self) -> None:
        """Create the mailbox (writers never do) and start at the present end of both streams."""
        await self._store.xadd(self.key, {"id": "", "type": "open", "payload": ""}, maxlen=100)
        await self._store.pexpire(self.key, TTL_MS)
        for name in (self.key, keys.EVENTS):
            newest: Any = await self._store.xrevrange(name, count=1)
            self._last[name] = newest[0][0].decode() if newest else "0-0"

    async def beat(self) -> None:
        """Keep the mailbox while this router lives; make it again if the store lost it."""
        while True:
            try:
                if not await self._store.pexpire(self.key, TTL_MS):
                    log.warning("the mailbox was gone; opening it again")
                    await self.open()
            except RedisError as error:
                log.warning("mailbox: the store does not answer: %s", error)
                await anyio.sleep(1)
                continue
            await anyio.sleep(BEAT_S)

    async def run(self) -> None:
        """Read until cancelled."""
        swallows = not isinstance(self._store, Hotline)
        while True:
            if swallows:  # some clients swallow a cancel inside a blocking read
                await checkpoint_if_cancelled()
            try:
                reply = await read_streams(self._store, self._last, BATCH, BLOCK_MS)
            except RedisError as error:
                log.warning("mailbox: the store does not answer: %s", error)
                await anyio.sleep(0.2)
                continue
            for name, entries in reply:
                stream = name.decode()
                self._last[stream] = entries[-1][0].decode()
                hand_out = self._deliver if stream == self.key else self._ring
                for _, fields in entries:
                    hand_out(fields or {})
            await asyncio.sleep(0)  # answers leave for their clients before our next read does

    def _deliver(self, fields: Mapping[bytes, bytes]) -> None:
        followers = self._followers.get(fields.get(b"id", b"").decode(errors="replace"))
        if followers:
            event = read_event(fields.get(b"type", b""), fields.get(b"payload", b""))
            if event is not None:
                for follower in followers:
                    follower.feed(event)

    def _ring(self, fields: Mapping[bytes, bytes]) -> None:
        self._on_ring(Bell.read(fields))
