"""What becomes of entries that do not run here: refused, passed on, turned away.

Whatever an entry or the keys of its request hold, it is settled and logged once, so that it keeps
neither a slot nor the next entry waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from orion_agent import direct
from orion_agent.patience import Patience
from orion_contracts import keys
from orion_contracts.entry_kinds import Doorbell
from orion_contracts.errors import InvalidRequest, LedgerRefused
from orion_contracts.ledger import DirectEntry, FailureKind, Ledger
from orion_contracts.naming import Understood
from orion_contracts.sizes import Limits
from orion_contracts.traces import Traces

logger = logging.getLogger("orion.worker.inbox")


class Settler:
    """Settles entries of one board's stream. Waits while the store is away."""

    def __init__(
        self,
        store: Redis,
        ledger: Ledger,
        patience: Patience,
        node: str,
        limits: Limits,
        prefix_key: Callable[[], bytes] = bytes,
    ) -> None:
        self._prefix_key = prefix_key
        self._store, self._ledger, self._patience = store, ledger, patience
        self._node, self._stream, self._limits = node, keys.node_requests(node), limits

    def source(self, entry: str) -> DirectEntry:
        """Where the entry lies."""
        return DirectEntry(self._stream, keys.WORKERS_GROUP, entry)

    async def refuse(
        self, entry: str, raw: bytes, error: InvalidRequest, request_id: str = ""
    ) -> None:
        """An error answer where the entry names a usable place, and a dead letter. `request_id`:
        of an entry without a body."""
        logger.warning("entry %s refused: %s", entry, error)
        source = self.source(entry)
        told = await direct.look(raw, self._limits) if raw else Traces(request_id)
        try:
            await self._patience.insist(
                lambda: direct.refuse(self._ledger, self._node, source, raw, error, told)
            )
        except ResponseError as failure:
            logger.error("entry %s: no dead letter could be written: %s", entry, failure)
            await self.drop(entry)

    async def pass_on(self, entry: str, asked: Understood) -> None:
        """To the queue: this board may not run it now."""
        source = self.source(entry)
        try:
            await self._patience.insist(
                lambda: direct.pass_on(self._ledger, source, asked, self._prefix_key())
            )
        except ResponseError as error:
            await self.refuse(entry, asked.body, LedgerRefused(error))

    async def turn_away(self, entry: str, bell: Doorbell) -> None:
        """Back to its place in the queue, unharmed: the engine is in no state to work."""
        try:
            await self._patience.insist(
                lambda: self._ledger.release(*bell, FailureKind.NONE, "the engine is not ready")
            )
        except ResponseError as error:  # its lease lapses
            logger.warning("request %s could not be given back: %s", bell.request_id, error)
        await self.drop(entry)

    async def drop(self, entry: str) -> None:
        """Settle it without a word."""
        stream, patience = self._stream, self._patience
        try:
            await patience.insist(lambda: self._store.xack(stream, keys.WORKERS_GROUP, entry))
            await patience.insist(lambda: self._store.xdel(stream, entry))
        except ResponseError as error:  # the stream itself is none any more
            logger.warning("entry %s could not be settled: %s", entry, error)
