"""The planner's housekeeping: sweep, stepped clocks, a stalled store, streams of dead boards."""

from __future__ import annotations

import logging
import time

import anyio
from redis.exceptions import RedisError

from orion_contracts.ledger import Ledger
from orion_router.lease import PlannerLease
from orion_router.trouble import Trouble

log = logging.getLogger(__name__)

SWEEP_S = 0.25
STALL_S = 1.0
"""A longer gap between two answers of the store means that nobody could renew anything."""
OBSERVE_S = 1.0
DOUBT_MS = 2000
DOUBTS = 10
"""A standby's looks at the clock that must agree on a new time before it believes it: until then
it may be a step that the planner has not corrected yet."""


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
        self._observed_s = 0.0
        self._doubts = 0
        self.swept = 0

    async def run(self) -> None:
        """Sweep until cancelled."""
        trouble = Trouble(log, "sweep")
        while True:
            await anyio.sleep(SWEEP_S)
            try:
                if self._lease.held:
                    await self.tick()
                elif time.monotonic() - self._observed_s >= OBSERVE_S:
                    await self.observe()
                trouble.over()
            except RedisError as error:
                if self._lease.held:
                    log.warning("sweep: the store does not answer: %s", error)
            except Exception as error:
                trouble.note(error)

    async def observe(self) -> None:
        """While another router plans: learn the ledger's time, so that at a takeover the seconds
        without a planner are not taken for a step of the store's clock."""
        clock_ms = await self._ledger.clock_ms()
        self._observed_s = time.monotonic()
        offset_ms = clock_ms - self._observed_s * 1000
        known = self._offset_ms
        if known is not None and abs(offset_ms - known) > DOUBT_MS and self._doubts < DOUBTS:
            self._doubts += 1
            return
        self._offset_ms, self._doubts = offset_ms, 0

    async def tick(self) -> None:
        """One sweep, after a grace where it is due."""
        epoch = self._lease.epoch
        now_s = time.monotonic()
        if epoch != self._epoch or now_s - self._answered_s > STALL_S:
            if not await self._ledger.grace(epoch):
                self._lease.lose()
                return
            self._epoch = epoch
            now_s = time.monotonic()
        expected = None if self._offset_ms is None else round(now_s * 1000 + self._offset_ms)
        swept = await self._ledger.sweep(epoch, expected)
        after_s = time.monotonic()
        if swept.state == "NOT_PLANNER":
            self._lease.lose()
            return
        self._answered_s = after_s
        slow_ms = (after_s - now_s) * 1000
        if swept.state == "JUMP":
            if expected is not None and 0 <= swept.now_ms - expected <= slow_ms + DOUBT_MS:
                return  # the call was long on its way; the next one tells whether a clock moved
            true_ms = expected if expected is not None else swept.last_ms
            log.warning("the store's clock moved by %d ms; nothing was closed for it",
                        swept.now_ms - true_ms)  # fmt: skip
            await self._ledger.steady(epoch, true_ms)
            self._offset_ms = true_ms - now_s * 1000
            return
        if self._offset_ms is None or slow_ms < STALL_S * 1000:  # else the midpoint means little
            self._offset_ms = swept.now_ms - (now_s + after_s) / 2 * 1000
        if swept.moved:
            self.swept += swept.moved
            log.warning("requests whose deadline, lease or board was gone: %d", swept.moved)
