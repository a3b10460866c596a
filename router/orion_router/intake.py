"""The intake stream of other producers: every entry is admitted, answered or buried."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio
from anyio import to_thread
from anyio.lowlevel import checkpoint_if_cancelled
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_contracts import keys
from orion_contracts.entries import Entry, Refusal, read_cancel, read_entry, refuse
from orion_contracts.entry_kinds import INLINE_BYTES
from orion_contracts.errors import LedgerRefused
from orion_contracts.ledger import DirectEntry, Ledger, is_lasting
from orion_contracts.limits import Limits
from orion_contracts.meta import describe
from orion_contracts.naming import understood
from orion_router.naming import Naming
from orion_router.planner import Planner
from orion_router.watch import Watch

log = logging.getLogger(__name__)

BLOCK_MS = 1000
BATCH = 16


class Intake:
    """One consumer of the group `router`. Settling an entry is part of the ledger's step."""

    def __init__(
        self,
        store: Redis,
        ledger: Ledger,
        router: str,
        watch: Watch,
        planner: Planner,
        limits: Limits,
        naming: Naming,
    ) -> None:
        """`naming`: says which model a request is for."""
        self._store = store
        self._ledger = ledger
        self._router = router
        self._watch = watch
        self._planner = planner
        self._limits = limits
        self._naming = naming
        self._signature = f"orion-inference-router/{router}"
        self._pending_before: set[bytes] = set()
        self._backlog = True
        """Read first what was read before and not settled: at the start, and after trouble."""
        self.read = 0
        self.refused = 0
        self.ignored_fields = 0

    async def run(self) -> None:
        """Read until cancelled; begin with what an earlier life of this consumer left unsettled."""
        while True:
            await checkpoint_if_cancelled()  # some clients swallow a cancel inside a blocking read
            backlog = self._backlog
            try:
                reply: Any = await self._store.xreadgroup(
                    keys.ROUTER_GROUP,
                    self._router,
                    {keys.REQUESTS: "0" if backlog else ">"},
                    count=BATCH,
                    block=None if backlog else BLOCK_MS,
                )
                entries: list[Any] = reply[0][1] if reply else []
                for entry, fields in entries:
                    await self.handle(entry, fields or {}, keys.REQUESTS, keys.ROUTER_GROUP)
                if backlog and not entries:
                    self._backlog = False
            except ResponseError as error:
                self._backlog = True
                if "NOGROUP" in str(error):
                    await self.ensure_group()
                else:  # a full store, say: the entry stays pending and is read again
                    log.error("intake: %s", error)
                    await anyio.sleep(1)
            except RedisError as error:
                log.warning("intake: the store does not answer: %s", error)
                self._backlog = True
                await anyio.sleep(0.2)

    async def ensure_group(self) -> None:
        """The group begins at 0: what was queued before the first router is seen, too."""
        try:
            await self._store.xgroup_create(keys.REQUESTS, keys.ROUTER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def handle(
        self, entry: bytes, fields: Mapping[bytes, bytes], stream: str, group: str
    ) -> None:
        """Admit, cancel or refuse one entry. Nothing that it holds can stop the next one."""
        self.read += 1
        source = DirectEntry(stream, group, entry.decode())
        try:
            await self._handle(source, entry, fields)
        except RedisError as error:
            if not is_lasting(error):
                raise  # a full store, say: the entry stays pending and is read again
            why = f"the ledger cannot take this entry: {error}"
            await self._refuse(source, Refusal(why, "", "", b"", b""))
        except Exception:
            log.exception("entry %s could not be served", source.entry)
            why = "the router could not read this entry"
            await self._refuse(source, Refusal(why, "", "", b"", b""))

    async def _handle(
        self, source: DirectEntry, entry: bytes, fields: Mapping[bytes, bytes]
    ) -> None:
        stream, group = source.stream, source.group
        cancelled = read_cancel(fields)
        if isinstance(cancelled, Refusal):
            await self._refuse(source, cancelled)
            return
        if cancelled is not None:
            await self._ledger.cancel(cancelled)
            await self._store.xack(stream, group, entry)
            await self._store.xdel(stream, entry)
            return
        outcome = await self._read(fields)
        if isinstance(outcome, Refusal):
            await self._refuse(source, outcome)
            return
        given, raw, unknown = outcome
        self.ignored_fields += len(unknown)
        settled = self._naming.settle(given)
        request, body, mark = understood(given, settled.request, raw)
        meta = describe(request, key=self._watch.prefix_key, body_bytes=len(body))
        routing = self._watch.config.routing
        try:
            admission = await self._ledger.admit(
                request,
                body,
                meta.to_bytes(),
                mark=mark,
                max_requests=routing.max_queue_requests,
                max_bytes=routing.max_queue_bytes,
                source=source,
            )
        except ResponseError as error:
            if not is_lasting(error):
                raise
            document = request.to_wire()
            refusal = refuse(LedgerRefused(error), raw, self._signature, document)
            await self._refuse(source, refusal)
            return
        if admission.accepted:  # one that is read again is known already
            self._naming.accepted(settled)

    async def _read(self, fields: Mapping[bytes, bytes]) -> Entry | Refusal:
        if sum(map(len, fields.values())) > INLINE_BYTES:
            return await to_thread.run_sync(read_entry, fields, self._signature, self._limits)
        return read_entry(fields, self._signature, self._limits)

    async def _refuse(self, source: DirectEntry, refusal: Refusal) -> None:
        self.refused += 1
        log.warning("refused entry %s: %s", source.entry, refusal.why)
        why, request_id, callback, final, sample = refusal
        await self._ledger.refuse(source, request_id, callback, final, why, sample)

    async def reclaim(self) -> None:
        """Take over what another router read and did not settle: it died in between.

        Judged by two looks, not by idle times: those jump with the store's clock.
        """
        pending: Any = await self._store.xpending_range(
            keys.REQUESTS, keys.ROUTER_GROUP, min="-", max="+", count=200
        )
        me = self._router.encode()
        others = {p["message_id"] for p in pending if p["consumer"] != me}
        stuck = sorted(others & self._pending_before)
        self._pending_before = others
        if stuck:
            claimed: Any = await self._store.xclaim(
                keys.REQUESTS, keys.ROUTER_GROUP, self._router, 0, stuck
            )
            self._backlog = True  # they are ours now: whatever happens here, they are read again
            for entry, fields in claimed:
                await self.handle(entry, fields or {}, keys.REQUESTS, keys.ROUTER_GROUP)
