"""Streams of boards that are gone: whole requests move to the queue, doorbells are settled."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_contracts import keys
from orion_contracts.entry_kinds import Doorbell, kind_of
from orion_contracts.spelling import text
from orion_router.intake import Intake
from orion_router.lease import PlannerLease
from orion_router.names import board_names
from orion_router.watch import Watch

log = logging.getLogger(__name__)

LOOK_S = 2.0
GONE_S = 30.0
BATCH = 100
FORGOTTEN_EVERY = 5
"""Looks after which the streams of boards that nobody remembers are looked at, too."""


class Strays:
    """Runs on the planner. Also takes over intake entries that a dead router left unsettled."""

    def __init__(
        self,
        store: Redis,
        intake: Intake,
        watch: Watch,
        lease: PlannerLease,
        gone_s: float = GONE_S,
    ) -> None:
        self._store = store
        self._intake = intake
        self._watch = watch
        self._lease = lease
        self._gone_s = gone_s
        self._said: dict[str, str] = {}
        self._since_s: dict[str, float] = {}
        """Since when boards that once were there are no boards any more."""

    async def run(self) -> None:
        """Look every LOOK_S until cancelled."""
        looks = 0
        while True:
            await anyio.sleep(LOOK_S)
            if not self._lease.held:
                continue
            looks += 1
            if looks % FORGOTTEN_EVERY == 1:
                await self._guarded(self._look_at_forgotten, "boards that left")
            await self._guarded(self._intake.reclaim, "entries of a router that died")
            for node in list(self._watch.fleet.nodes.values()):
                lost_s = node.lost_since_s
                if lost_s is not None and time.monotonic() - lost_s > self._gone_s:
                    await self._guarded(partial(self._empty, node.name), f"board {node.name}")

    async def _guarded(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        """What one of them holds keeps none of the others waiting."""
        try:
            await work()
        except RedisError as error:
            if self._said.get(what) != str(error):
                log.warning("strays: %s: %s", what, error)
            self._said[what] = str(error)
        else:
            self._said.pop(what, None)

    async def _look_at_forgotten(self) -> None:
        """A board that left is remembered by the fleet for minutes, by its producers for longer."""
        known: Any = await self._store.hgetall(keys.INCARNATIONS)
        now_s, fleet = time.monotonic(), self._watch.fleet.nodes
        names = [name for name in board_names(known) if name not in fleet]
        self._since_s = {name: self._since_s.get(name, now_s) for name in names}
        gone = [name for name in names if now_s - self._since_s[name] >= self._gone_s]
        pipe = self._store.pipeline(transaction=False)
        for name in gone:
            pipe.xlen(keys.node_requests(name))
        for name, length in zip(gone, await pipe.execute(raise_on_error=False), strict=True):
            if length != 0:  # an error, too: it is said where the stream is read
                await self._guarded(partial(self._empty, name), f"board {name}")

    async def _empty(self, node: str) -> None:
        stream = keys.node_requests(node)
        entries: Any = await self._store.xrange(stream, count=BATCH)
        for entry, fields in entries:
            if isinstance(kind_of(fields), Doorbell):  # its request is in the queue again
                await self._settle(stream, entry)
            else:
                log.info("moving entry %s of the lost board %s", text(entry), node)
                await self._intake.handle(entry, fields, stream, keys.WORKERS_GROUP)

    async def _settle(self, stream: str, entry: bytes) -> None:
        try:
            await self._store.xack(stream, keys.WORKERS_GROUP, entry)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
        await self._store.xdel(stream, entry)
