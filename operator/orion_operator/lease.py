"""Holds the Lease: of two operators in a namespace, only one changes anything."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from orion_operator.api import ApiError
from orion_operator.cluster import Cluster
from orion_operator.leasing import LEASE_S, RENEW_S, LeaseFacts, decide, lease, read_lease

log = logging.getLogger(__name__)


def micro_now() -> str:
    """The wall clock as Leases want it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


class Lease:
    """`held`: whether this process may change things, as far as it knows."""

    def __init__(
        self, cluster: Cluster, name: str, me: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._me = me
        self._clock = clock
        self._seen: LeaseFacts | None = None
        self._unchanged_since_s = clock()
        self._renewed_s = -1e9
        self._said = ""
        self.holder = ""
        self.held = False

    async def keep(self) -> bool:
        """Renew or take it where that is due; whether it is ours now."""
        if self.held and self._clock() - self._renewed_s < RENEW_S:
            return True
        return await self.confirm()

    async def confirm(self) -> bool:
        """Look at it now: another may have taken it since. Raises ApiError when that cannot be
        told and our own hold has run out."""
        try:
            body = await self._cluster.lease(self._name)
            held = await self._move(None if body is None else read_lease(body))
        except ApiError:
            if self.held and self._clock() - self._renewed_s < LEASE_S:
                return True
            self.held = False
            raise
        word = "is in charge" if held else f"waits for {self.holder or 'the next round'}"
        if word != self._said:
            log.info("this operator %s", word)
        self.held, self._said = held, word
        return held

    async def _move(self, found: LeaseFacts | None) -> bool:
        now_s = self._clock()
        if found != self._seen:
            self._seen, self._unchanged_since_s = found, now_s
        self.holder = found.holder if found else ""
        move = decide(found, self._me, now_s - self._unchanged_since_s)
        if move == "wait":
            return False
        if move == "renew" and now_s - self._renewed_s < RENEW_S:
            return True
        return await self._write(found, self._me, LEASE_S)

    async def _write(self, found: LeaseFacts | None, holder: str, duration_s: int) -> bool:
        body = lease(self._name, self._cluster.namespace, holder, found, micro_now(), duration_s)
        written = await self._cluster.write_lease(body, create=found is None)
        if written is None:
            return False
        self._seen, self._unchanged_since_s = read_lease(written), self._clock()
        self._renewed_s = self._clock()
        self.holder = holder
        return True

    async def seize(self, duration_s: int) -> None:
        """Take it whoever holds it: the clean-up is the last one to act."""
        for _ in range(5):
            body = await self._cluster.lease(self._name)
            if await self._write(None if body is None else read_lease(body), self._me, duration_s):
                return

    async def resign(self) -> None:
        """Give it up, so that the next operator need not wait."""
        if not self.held:
            return
        self.held = False
        try:
            body = await self._cluster.lease(self._name)
            if body is not None and (found := read_lease(body)).holder == self._me:
                await self._write(found, "", LEASE_S)
        except ApiError as error:
            log.warning("lease: could not give it up: %s", error)
