"""What the router knows about itself and the store: looked at in the background, every second."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.errors import OrionError
from orion_contracts.ledger import ensure_library
from orion_router.store_words import trouble

log = logging.getLogger(__name__)

LOOK_S = 1.0
ENSURE_EVERY = 10
"""The function library is ensured at every tenth look, and at once after the store was away."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look. Times in ms; -1: not known yet."""

    store_ms: float = -1.0
    queue_depth: int = -1
    dead_letters: int = -1
    library_version: int = -1


class Vitals:
    """`problem`: why this router cannot do its job now; empty when it can."""

    def __init__(self, store: Redis) -> None:
        self._store = store
        self.problem = "starting"
        self.store_version = ""
        self.reading = Reading()

    def note(self, problem: str) -> None:
        """Set or clear the problem; said once in the log."""
        if problem and problem != self.problem:
            log.error("not ready: %s", problem)
        elif self.problem and not problem:
            log.info("ready")
        self.problem = problem

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            await anyio.sleep(LOOK_S)
            looks += 1
            try:
                if self.problem or looks % ENSURE_EVERY == 0:
                    await self._ensure()
                await self._look()
                self.note("")
            except OrionError as error:
                self.note(str(error))
            except RedisError as error:
                self.note(trouble(error))

    async def _ensure(self) -> None:
        loaded = await ensure_library(self._store)
        self.reading = Reading(library_version=loaded)

    async def _look(self) -> None:
        begun_s = time.perf_counter()
        pipe = self._store.pipeline(transaction=False)
        pipe.ping()
        pipe.zcard(keys.QUEUE)
        pipe.xlen(keys.DEAD)
        _, depth, dead = await pipe.execute()
        store_ms = (time.perf_counter() - begun_s) * 1000
        self.reading = Reading(store_ms, int(depth), int(dead), self.reading.library_version)
