"""The planner lease: who assigns and sweeps. Judged by silence on a channel, not by any clock.

The holder publishes a sign of life twice a second (pub/sub: nothing is written to disk). A
challenger that listened for SILENCE_S without hearing one takes the lease by naming the epoch it
saw; the epoch rises, and the old holder's calls are refused from then on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.ledger import Ledger
from orion_contracts.spelling import text
from orion_router.trouble import Trouble

log = logging.getLogger(__name__)

BEAT_S = 0.5
SILENCE_S = 2.0


class PlannerLease:
    """Holds the lease or waits for it. `epoch` is empty while another router holds it."""

    def __init__(
        self, store: Redis, ledger: Ledger, router: str, on_held: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._router = router
        self._on_held = on_held
        self._seen_epoch = ""
        self.epoch = ""
        self.owner = ""

    @property
    def held(self) -> bool:
        """Whether this router plans."""
        return self.epoch != ""

    def lose(self) -> None:
        """The ledger refused our epoch: another router took the lease."""
        if self.held:
            log.warning("the planner lease was taken by another router")
        self.epoch = ""

    async def run(self) -> None:
        """Until cancelled: hold, or listen and take over."""
        trouble = Trouble(log, "planner lease")
        while True:
            try:
                if not self.held:
                    await self._claim("")
                if self.held:
                    await self._hold()
                else:
                    await self._listen()
                trouble.over()
            except (RedisError, OSError) as error:
                log.warning("planner lease: the store does not answer: %s", error)
                await anyio.sleep(0.2)
            except Exception as error:
                trouble.note(error)
                await anyio.sleep(0.2)

    async def resign(self) -> None:
        """Give the lease up, so that another router need not wait."""
        if self.held:
            self.epoch = ""
            await self._ledger.resign(self._router)

    async def _claim(self, seen_epoch: str) -> None:
        claim = await self._ledger.planner(self._router, seen_epoch)
        self._seen_epoch, self.owner = claim.epoch, claim.owner
        if claim.held:
            log.info("this router plans (epoch %s)", claim.epoch)
            self.epoch = claim.epoch
            await self._on_held()

    async def _hold(self) -> None:
        while self.held:
            await self._store.publish(keys.PLANNER_BEAT, self.epoch)
            await anyio.sleep(BEAT_S)

    async def _listen(self) -> None:
        """Return after taking the lease; a broken connection raises: its silence means nothing."""
        async with self._store.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(keys.PLANNER_BEAT)
            heard_s = time.monotonic()
            while not self.held:
                left_s = SILENCE_S - (time.monotonic() - heard_s)
                if left_s <= 0:
                    log.warning("router %s fell silent; taking the planner lease", self.owner)
                    await self._claim(self._seen_epoch)
                    heard_s = time.monotonic()
                    continue
                message: Any = await self._next(channel, left_s)
                if message is not None:
                    heard_s = time.monotonic()
                    self._seen_epoch = text(message["data"])
                else:
                    resigned = await self._ledger.planner(self._router)
                    if resigned.held:
                        await self._claim("")

    @staticmethod
    async def _next(channel: Any, timeout_s: float) -> Any:
        return await channel.get_message(timeout=timeout_s)
