"""The planner's housekeeping: sweep, stepped clocks, a stalled store, streams of dead boards."""

from __future__ import annotations

import logging
import time

import anyio
from redis.exceptions import RedisError

from orion_contracts.ledger import Ledger
from orion_router.lease import PlannerLease

log = logging.getLogger(__name__)

SWEEP_S = 0.25
STALL_S = 1.0
"""A longer gap between two answers of the store means that nobody could renew anything."""


class Upkeep:
    """Calls `sweep` while this router plans.

    The ledger's time is reckoned from this process's monotonic clock, so that a step of the
    store's clock is seen before anything is closed for it.
    """

    def __init__(self, ledger: Ledger, lease: PlannerLease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._epoch = ""
        self._offset_ms: float | None = None
        self._answered_s = 0.0
        self.swept = 0

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await anyio.sleep(SWEEP_S)
            if not self._lease.held:
                continue
            try:
                await self.tick()
            except RedisError as error:
                log.warning("sweep: the store does not answer: %s", error)

    async def tick(self) -> None:
        """One sweep, after a grace where it is due."""
        epoch = self._lease.epoch
        now_s = time.monotonic()
        if epoch != self._epoch or now_s - self._answered_s > STALL_S:
            if not await self._ledger.grace(epoch):
                self._lease.lose()
                return
            if epoch != self._epoch:
                self._offset_ms = None
            self._epoch = epoch
            now_s = time.monotonic()
        expected = None if self._offset_ms is None else round(now_s * 1000 + self._offset_ms)
        swept = await self._ledger.sweep(epoch, expected)
        after_s = time.monotonic()
        if swept.state == "NOT_PLANNER":
            self._lease.lose()
            return
        self._answered_s = after_s
        if swept.state == "JUMP":
            true_ms = expected if expected is not None else swept.last_ms
            log.warning("the store's clock moved by %d ms; nothing was closed for it",
                        swept.now_ms - true_ms)  # fmt: skip
            await self._ledger.steady(epoch, true_ms)
            self._offset_ms = true_ms - now_s * 1000
            return
        self._offset_ms = swept.now_ms - (now_s + after_s) / 2 * 1000
        if swept.moved:
            self.swept += swept.moved
            log.warning("sweep moved %d requests", swept.moved)
