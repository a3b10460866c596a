"""The planner's lease and upkeep."""

from __future__ import annotations

from typing import Any, cast

from orion_contracts import keys
from orion_contracts.ledger.connection import Connection
from orion_contracts.ledger.replies import PlannerClaim, Swept
from orion_contracts.spelling import text
from orion_contracts.stamp import iso_now

MOST_MS = 1e13
"""Any time is below: a request's score in the queue is class * 1e13 + time."""


class PlannerCalls(Connection):
    """What the one router says that holds the lease."""

    async def reject(self, request_id: str, epoch: str, status: str, final: bytes) -> bool:
        """As the planner, close a queued request without running it."""
        return text(await self._call("reject", request_id, epoch, status.upper(), final)) == "OK"

    async def planner(self, me: str, seen_epoch: str = "") -> PlannerClaim:
        """Claim or confirm the planner lease. `seen_epoch`: of a holder that fell silent."""
        state, epoch, owner = (
            text(v) for v in cast(list[Any], await self._call("planner", me, seen_epoch))
        )
        return PlannerClaim(state != "OTHER", epoch, owner, state == "TAKEN")

    async def resign(self, me: str) -> None:
        """Give the planner lease up."""
        await self._call("resign", me)

    async def sweep(self, epoch: str, expected_ms: int | None, batch: int = 256) -> Swept:
        """Close what is overdue and requeue what was lost; tells of a stepped clock instead."""
        expected = "" if expected_ms is None else expected_ms
        reply = cast(
            list[Any], await self._call("sweep", epoch, expected, batch, iso_now(), *self._limits)
        )
        state = text(reply[0])
        if state == "OK":
            return Swept(state, int(reply[1]), moved=int(reply[2]))
        return Swept(state, int(reply[1]), int(reply[2])) if state == "JUMP" else Swept(state)

    async def clock_ms(self) -> int:
        """The ledger's time as its functions reckon it, in ms."""
        pipe = self._store.pipeline(transaction=False)
        pipe.time()
        pipe.hmget(keys.CLOCK, "offset", "last")
        (seconds, micros), (offset, last) = await pipe.execute()
        return max(int(seconds) * 1000 + int(micros) // 1000 + _sane(offset), _sane(last))

    async def steady(self, epoch: str, true_now_ms: int) -> bool:
        """The store's clock was stepped: the ledger's clock goes on at `true_now_ms`."""
        return text(await self._call("steady", epoch, true_now_ms, self.times.run_ms)) == "OK"

    async def grace(self, epoch: str) -> bool:
        """The store stood still: leases and liveness begin anew."""
        return text(await self._call("grace", epoch, self.times.run_ms)) == "OK"


def _sane(value: object) -> int:
    """As the library reads the clock's key: what is no time counts as none."""
    try:
        number = float(text(value)) if value is not None else 0.0
    except ValueError:
        return 0
    return int(number) if abs(number) < MOST_MS else 0
