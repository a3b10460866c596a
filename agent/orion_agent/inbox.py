"""Reads the board's stream: doorbells of the planner and whole requests of other producers.

No more is taken than there are free slots. After a lost connection the worker's own pending entries
are read again, because an answer may have been lost on its way. Nothing that an entry holds can
stop the next one from being served.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_agent import direct
from orion_agent.settler import Settler
from orion_agent.slots import Slots
from orion_contracts import keys
from orion_contracts.entry_kinds import Direct, Doorbell, Garbage, kind_of
from orion_contracts.errors import InvalidRequest
from orion_contracts.ledger import DirectEntry
from orion_contracts.messages import InferenceRequest
from orion_contracts.naming import Understood
from orion_contracts.sizes import Limits
from orion_contracts.streams import read_group

BLOCK_MS = 1000
CLOSED_PAUSE_S = 1.0
TURN_AWAY_AT_ONCE = 16
PAUSE_S = 0.2
NO_BLOCK_PAUSE_S = 0.01
Fields = Mapping[bytes, bytes] | None
logger = logging.getLogger("orion.worker.inbox")


class Worker(Protocol):
    """What the inbox hands entries to; both return at once and hold the slot until the end."""

    def ring(self, entry: str, bell: Doorbell) -> None:
        """Start what a doorbell announced."""
        ...

    def understand(self, request: InferenceRequest, raw: bytes) -> Understood:
        """What the request asks for, by the configuration."""
        ...

    def take(self, entry: DirectEntry, asked: Understood) -> None:
        """Run a request that came straight here."""
        ...

    def may_run_direct(self) -> bool:
        """Whether the board's own health gates are open."""
        ...


class Inbox:
    """One consumer of the group `workers`."""

    def __init__(
        self,
        reads: Redis,
        settler: Settler,
        node: str,
        slots: Slots,
        worker: Worker,
        enlist: Callable[[], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._reads, self._settler, self._node = reads, settler, node
        self._slots, self._worker, self._enlist = slots, worker, enlist
        self._stream = keys.node_requests(node)
        self._said = ""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read_pending()
                while True:
                    await self._read_new()
            except ResponseError as error:
                if str(error).startswith("NOGROUP"):
                    logger.warning("the board's stream is gone from the store; enlisting again")
                    await self._enlist()
                    continue
                self._say("reading the board's stream failed", error)
            except (RedisError, OSError) as error:
                self._say("the connection to the store was lost", error)
            await anyio.sleep(PAUSE_S)

    def _say(self, what: str, error: Exception) -> None:
        """Once for each error in a row: who spoilt the stream may take days to mend it, and a log
        that repeats itself five times a second wears out an SD card."""
        if self._said != str(error):
            self._said = str(error)
            logger.warning("%s: %s", what, error)

    async def _read_pending(self) -> None:
        """What this consumer was handed before and did not settle."""
        after = "0"
        while entries := await self._read(after, 16, None):
            for entry, fields in entries:
                after = entry
                if not self._slots.holds(entry):
                    if not self._slots.closed:
                        await self._slots.wait_free()
                    await self._serve(entry, fields)

    async def _read_new(self) -> None:
        slots = self._slots
        if slots.free <= 0:
            with anyio.move_on_after(CLOSED_PAUSE_S):
                await slots.wait_free()
            if not slots.closed:
                return
            batch = await self._read(">", TURN_AWAY_AT_ONCE, None)
        else:
            began_s = time.monotonic()
            batch = await self._read(">", slots.free, BLOCK_MS)
            if not batch and time.monotonic() - began_s < BLOCK_MS / 2000:
                await anyio.sleep(NO_BLOCK_PAUSE_S)  # a store that does not block: never spin
        self._said = ""
        for entry, fields in batch:
            await self._serve(entry, fields)
        await asyncio.sleep(0)  # what was rung for goes to the store before our next read does

    async def _read(self, after: str, count: int, block: int | None) -> list[tuple[str, Fields]]:
        entries = await read_group(
            self._reads, keys.WORKERS_GROUP, self._node, self._stream, after, count, block
        )
        return [(entry.decode(), fields) for entry, fields in entries]

    async def _serve(self, entry: str, fields: Fields) -> None:
        try:
            match kind_of(fields or {}):
                case Doorbell() as bell if self._slots.closed:
                    await self._settler.turn_away(entry, bell)
                case Doorbell() as bell:
                    self._worker.ring(entry, bell)
                case Direct(payload):
                    await self._direct(entry, payload)
                case Garbage(why, sample) if fields:
                    await self._settler.refuse(entry, sample, InvalidRequest(why))
                case Garbage():  # deleted by someone else while it was pending here
                    await self._settler.drop(entry)
        except (RedisError, OSError):
            raise
        except Exception:
            logger.exception("entry %s could not be served", entry)
            why = "the worker could not read this entry"
            await self._settler.refuse(entry, b"", InvalidRequest(why))

    async def _direct(self, entry: str, raw: bytes) -> None:
        try:
            request = await direct.read(raw, self._limits)
        except InvalidRequest as error:
            await self._settler.refuse(entry, raw, error)
            return
        asked = self._worker.understand(request, raw)
        if self._slots.closed or not self._worker.may_run_direct():
            await self._settler.pass_on(entry, asked)
            return
        self._worker.take(self._settler.source(entry), asked)

    async def turn_all_away(self) -> None:
        """The worker stops: what was assigned but not started goes back, and requests of other
        producers go to the queue, where a router finds them."""
        for after in ("0", ">"):
            for entry, fields in await self._read(after, 100, None):
                if self._slots.holds(entry):
                    continue
                match kind_of(fields or {}):
                    case Doorbell() as bell:
                        await self._settler.turn_away(entry, bell)
                    case Direct(payload) if after == "0":
                        await self._direct(entry, payload)
                    case _:
                        pass
