"""The planner's mirror of the ledger's queue, and of what each board holds."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from orion_contracts import keys
from orion_contracts.ledger import Ledger, is_lasting
from orion_contracts.meta import Meta
from orion_contracts.spelling import text
from orion_router.held import Held
from orion_router.names import board_names, members
from orion_router.policy import Waiting

_FAILED = re.compile(r"(?:^|; )\d+ (\S+) (crash|loss|refused) ")
RELEASED = 256
"""Closed requests that are still remembered: their records may be read before their bell is heard,
which brings what the run measured."""
FIELDS = ("state", "meta", "score", "crashes", "history", "node", "attempt", "accepted")


class Backlog:
    """What is queued and who holds what, kept current by the doorbell and resynchronised."""

    def __init__(self, store: Redis, read: Callable[[bytes], Meta] = Meta.from_bytes) -> None:
        """`read`: a record's planning facts, as they are to be reckoned with."""
        self._store, self._read = store, read
        self.waiting: dict[str, Waiting] = {}
        self.held: dict[str, dict[str, Held]] = {}
        """Per board: the requests that it holds."""
        self.suspects: set[str] = set()
        self.spoilt: set[str] = set()
        """Queued, but somebody wrote over the record: nobody can plan them."""
        self._order: list[Waiting] | None = None
        self._released: dict[str, Held] = {}

    @property
    def in_order(self) -> list[Waiting]:
        """Queued requests: interactive before batch, then by acceptance."""
        if self._order is None:
            self._order = sorted(self.waiting.values(), key=lambda w: (w.score, w.request_id))
        return self._order

    @property
    def load(self) -> dict[str, dict[str, str]]:
        """Per board: the requests that it holds, with their models."""
        return {node: {r: h.model for r, h in mine.items()} for node, mine in self.held.items()}

    @property
    def alone(self) -> frozenset[str]:
        """Boards that a suspect has to itself."""
        if not self.suspects:
            return frozenset()
        return frozenset(n for n, mine in self.held.items() if self.suspects.intersection(mine))

    def enqueue(self, item: Waiting) -> None:
        """A request waits (again)."""
        self._release(item.request_id)
        known = self.waiting.get(item.request_id)
        if known is None or known != item:
            self.waiting[item.request_id] = item
            self._order = None

    def hold(self, node: str, request_id: str, meta: Meta | None, attempt: int = 0) -> None:
        """A board holds the request, and no other does. `attempt`: 0 where it is not known yet."""
        if (item := self.waiting.pop(request_id, None)) is not None:
            self._order = None
            if item.crashes:
                self.suspects.add(request_id)
        mine, held = self.held.get(node, {}), Held.of(meta, time.monotonic(), attempt)
        if (known := mine.get(request_id)) is not None:
            held = known.updated(held)
        self._release(request_id)
        self.held.setdefault(node, {})[request_id] = held

    def knows(self, request_id: str) -> bool:
        """Whether it waits, or some board holds it."""
        return request_id in self.waiting or any(request_id in each for each in self.held.values())

    def withdraw(self, node: str, request_id: str) -> None:
        """The ledger did not give the board what it was to `hold`. What its record told meanwhile
        stays: then there is an attempt, or another board."""
        mine = self.held.get(node, {})
        if (held := mine.get(request_id)) is not None and not held.attempt:
            del mine[request_id]

    def forget(self, request_id: str) -> Held | None:
        """The request is closed; returns what was known of it while a board held it."""
        if self.waiting.pop(request_id, None) is not None:
            self._order = None
        self.suspects.discard(request_id)
        self.spoilt.discard(request_id)
        found = self._release(request_id) or self._released.pop(request_id, None)
        if found is not None:
            self._released[request_id] = found
            if len(self._released) > RELEASED:
                del self._released[next(iter(self._released))]
        return found

    def _release(self, request_id: str) -> Held | None:
        found = None
        for mine in self.held.values():
            found = mine.pop(request_id, None) or found
        return found

    async def fetch(self, request_ids: Iterable[str], ledger_ms: int | None = None) -> None:
        """Read the planning facts of these requests and file them by their state. `ledger_ms`: the
        ledger's time, where they may have waited before this planner saw them."""
        ids = list(request_ids)
        if not ids:
            return
        pipe = self._store.pipeline(transaction=False)
        for request_id in ids:
            pipe.hmget(keys.record(request_id), FIELDS)
        replies = await pipe.execute(raise_on_error=False)
        for request_id, values in zip(ids, replies, strict=True):
            try:
                if isinstance(values, Exception):
                    raise values
                self._file(request_id, values, ledger_ms)
            except (ResponseError, ValueError, TypeError) as error:
                if isinstance(error, ResponseError) and not is_lasting(error):
                    raise
                self.forget(request_id)
                self.spoilt.add(request_id)

    def _file(self, request_id: str, values: list[bytes | None], ledger_ms: int | None) -> None:
        state, meta, score, crashes, history, node, attempt, accepted = values
        if state == b"QUEUED" and meta is not None:
            known = self.waiting.get(request_id)
            failures = _FAILED.findall((history or b"").decode(errors="replace"))
            now_s, accepted_s = time.monotonic(), math.inf
            if known is not None:
                accepted_s = known.accepted_s
            elif ledger_ms is not None and attempt == b"0":
                accepted_s = now_s - max(0, ledger_ms - int(accepted or ledger_ms)) / 1000
            self.enqueue(
                Waiting(
                    request_id,
                    self._read(meta),
                    float(score or 0),
                    known.since_s if known else now_s,
                    int(crashes or 0),
                    frozenset(node for node, _ in failures),
                    failures[-1][0] if failures and failures[-1][1] == "refused" else "",
                    accepted_s,
                )
            )
        elif state in (b"ASSIGNED", b"RUNNING") and node is not None:
            self.hold(text(node), request_id, self._readable(meta), int(attempt or 0))
            if int(crashes or 0):
                self.suspects.add(request_id)
        else:
            self.forget(request_id)

    async def resync(self) -> None:
        """Compare with the ledger and mend: what is queued, and what each known board holds."""
        nodes = board_names(cast(set[bytes], await self._store.smembers(keys.NODES)))
        pipe = self._store.pipeline(transaction=False)
        pipe.zrange(keys.QUEUE, 0, -1)
        for node in nodes:
            pipe.smembers(keys.inflight(node))
        replies: list[Any] = await pipe.execute(raise_on_error=False)
        queued, *held = map(members, replies)
        true_queue = set(queued)
        true_load = {n: set(ids) for n, ids in zip(nodes, held, strict=True)}
        inflight = set[str]().union(*true_load.values())
        for request_id in set(self.waiting) - true_queue - inflight:
            self.forget(request_id)
        for node, mine in list(self.held.items()):
            for request_id in set(mine) - true_load.get(node, set()):
                mine.pop(request_id, None)
            if not mine and node not in true_load:
                del self.held[node]
        unknown = true_queue - set(self.waiting)
        unknown |= {r for n, ids in true_load.items() for r in ids if r not in self.held.get(n, {})}
        if unknown:
            await self.fetch(unknown, await Ledger(self._store).clock_ms())

    def _readable(self, meta: bytes | None) -> Meta | None:
        """A running request's facts, where they can be read: its board is not free in any case."""
        try:
            return self._read(meta) if meta else None
        except (ValueError, TypeError):
            return None
