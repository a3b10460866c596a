"""The planner's mirror of the ledger's queue, and of what each board holds."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from orion_contracts import keys
from orion_contracts.ledger import Ledger, is_lasting
from orion_contracts.meta import Meta
from orion_contracts.spelling import text
from orion_router.names import board_names, members
from orion_router.policy import Waiting

_FAILED = re.compile(r"(?:^|; )\d+ (\S+) (crash|loss|refused) ")
FIELDS = ("state", "meta", "score", "crashes", "history", "node", "attempt", "accepted")


class Backlog:
    """What is queued and who holds what, kept current by the doorbell and resynchronised."""

    def __init__(self, store: Redis) -> None:
        self._store = store
        self.waiting: dict[str, Waiting] = {}
        self.load: dict[str, dict[str, str]] = {}
        self.suspects: set[str] = set()
        self.spoilt: set[str] = set()
        """Queued, but somebody wrote over the record: nobody can plan them."""
        self._order: list[Waiting] | None = None

    @property
    def in_order(self) -> list[Waiting]:
        """Queued requests: interactive before batch, then by acceptance."""
        if self._order is None:
            self._order = sorted(self.waiting.values(), key=lambda w: (w.score, w.request_id))
        return self._order

    def enqueue(self, item: Waiting) -> None:
        """A request waits (again)."""
        self._release(item.request_id)
        known = self.waiting.get(item.request_id)
        if known is None or known != item:
            self.waiting[item.request_id] = item
            self._order = None

    def hold(self, node: str, request_id: str, model: str) -> None:
        """A board holds the request."""
        if (item := self.waiting.pop(request_id, None)) is not None:
            self._order = None
            if item.crashes:
                self.suspects.add(request_id)
        self.load.setdefault(node, {})[request_id] = model

    def forget(self, request_id: str) -> None:
        """The request is closed."""
        if self.waiting.pop(request_id, None) is not None:
            self._order = None
        self._release(request_id)
        self.suspects.discard(request_id)
        self.spoilt.discard(request_id)

    def _release(self, request_id: str) -> None:
        for held in self.load.values():
            held.pop(request_id, None)

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
                    Meta.from_bytes(meta),
                    float(score or 0),
                    known.since_s if known else now_s,
                    int(crashes or 0),
                    frozenset(node for node, _ in failures),
                    failures[-1][0] if failures and failures[-1][1] == "refused" else "",
                    accepted_s,
                )
            )
        elif state in (b"ASSIGNED", b"RUNNING") and node is not None:
            self.hold(text(node), request_id, _model(meta))
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
        for node, mine in list(self.load.items()):
            for request_id in set(mine) - true_load.get(node, set()):
                mine.pop(request_id, None)
            if not mine and node not in true_load:
                del self.load[node]
        unknown = true_queue - set(self.waiting)
        unknown |= {r for n, ids in true_load.items() for r in ids if r not in self.load.get(n, {})}
        if unknown:
            await self.fetch(unknown, await Ledger(self._store).clock_ms())


def _model(meta: bytes | None) -> str:
    """A running request's model, where its facts can be read."""
    try:
        return Meta.from_bytes(meta).model if meta else ""
    except (ValueError, TypeError):
        return ""
