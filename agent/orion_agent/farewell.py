"""Leaving: say so, give back what was not begun, and at the end what was not finished.

While running requests finish, the worker has to stay alive in the ledger (or its work would be
requeued), but must get nothing new: a drain mark of its own, which it removes again, says that.
"""

from __future__ import annotations

import logging

import anyio
from redis.exceptions import RedisError

from orion_agent.inbox import Inbox
from orion_agent.parts import Parts
from orion_contracts import keys

MARK = b"stopping "
ANNOUNCE_S, LEAVE_S = 1.5, 2.0
logger = logging.getLogger("orion.worker")


class Farewell:
    """The last words of one incarnation."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._mark = MARK + parts.who.incarnation.encode()
        self._key = keys.drain(parts.who.node)

    async def announce(self, inbox: Inbox) -> None:
        """No more work; out of the health registry; what was not begun goes back."""
        p = self._p
        logger.info("stopping: %d running, up to %g s to finish", p.slots.running,
                    p.settings.shutdown_grace_s)  # fmt: skip
        p.slots.close("stopping")
        lives_ms = int((p.settings.shutdown_grace_s + 5) * 1000)
        with anyio.move_on_after(ANNOUNCE_S):
            try:
                await p.store.set(self._key, self._mark, nx=True, px=lives_ms)
                await p.reporter.withdraw()
                await inbox.turn_all_away()
            except (RedisError, OSError) as error:
                logger.warning("the store could not be told that we stop: %s", error)

    async def leave(self) -> None:
        """Out of the ledger: what still ran goes back to its place in the queue."""
        p = self._p
        p.beat.stop()
        with anyio.move_on_after(LEAVE_S):
            try:
                returned = await p.ledger.leave(p.who.node, p.who.incarnation)
                await self.unmark()
                logger.info("left; %d requests given back", returned)
                return
            except (RedisError, OSError) as error:
                logger.warning("the store could not be told that we left: %s", error)
                return
        logger.warning("the store did not answer in time; our leases lapse by themselves")

    async def unmark(self) -> None:
        """Remove our own drain mark (or one that a worker of this board left behind)."""
        store = self._p.store
        mark = await store.get(self._key)
        if isinstance(mark, bytes) and mark.startswith(MARK):
            await store.delete(self._key)
