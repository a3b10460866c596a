"""Requests as the ledger records them, for people and for clients that ask by id."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.errors import StoreUnavailable
from orion_contracts.messages import Priority
from orion_contracts.spelling import text
from orion_router.events import Final, read_event
from orion_router.names import known
from orion_router.store_words import trouble

_Reply = TypeVar("_Reply")
FIELDS = (
    "state",
    "attempt",
    "node",
    "model",
    "history",
    "accepted",
    "crashes",
    "losses",
    "callback",
    "fingerprint",
)
BATCH_SCORE = 1e13
"""A request's place is its acceptance in ms; batch requests come after all interactive ones."""
TERMINAL = frozenset({"COMPLETED", "FAILED", "EXPIRED", "CANCELLED", "REJECTED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """One request. `final`: its answer as on the wire, kept for an hour. Times in ms."""

    request_id: str
    state: str
    attempt: int
    node: str
    model: str
    history: str
    accepted_ms: int
    crashes: int
    losses: int
    callback: str
    fingerprint: str
    queue_position: int | None = None
    planned_node: str = ""
    """While it waits, and where this router plans: the board that it is planned on."""
    estimated_start_s: float | None = None
    """Seconds until it is expected to begin there."""
    final: dict[str, Any] | None = None

    @property
    def terminal(self) -> bool:
        """Whether the request has its final."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Queued:
    """One request in the queue."""

    view: RequestView
    priority: Priority


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for a board: how many, and the first of them in their order."""

    depth: int
    first: tuple[Queued, ...]


async def answered(reply: Awaitable[_Reply]) -> _Reply:
    """What the store says. Raises StoreUnavailable."""
    try:
        return await reply
    except RedisError as error:
        raise StoreUnavailable(trouble(error)) from error


async def read_queue(store: Redis, limit: int) -> Queue:
    """The queue; no more than `limit` of its requests are read."""
    pipe = store.pipeline(transaction=False)
    pipe.zcard(keys.QUEUE)
    pipe.zrange(keys.QUEUE, 0, limit - 1, withscores=True)
    depth, scored = await pipe.execute()
    scores = {text(request_id): score for request_id, score in scored}
    views = await read_views(store, list(scores))
    return Queue(
        int(depth),
        tuple(
            Queued(view, "interactive" if scores[view.request_id] < BATCH_SCORE else "batch")
            for view in views
            if view.queue_position is not None  # else it was taken between the two reads
        ),
    )


async def read_views(store: Redis, request_ids: list[str]) -> list[RequestView]:
    """The records of these requests, in their order; unknown ones are left out."""
    pipe = store.pipeline(transaction=False)
    for request_id in request_ids:
        pipe.hmget(keys.record(request_id), FIELDS)
        pipe.zrank(keys.QUEUE, request_id)
        pipe.xrevrange(keys.responses(request_id), count=1)
    replies: list[Any] = await pipe.execute(raise_on_error=False) if request_ids else []
    views: list[RequestView] = []
    for i, request_id in enumerate(request_ids):
        values, rank, newest = replies[3 * i : 3 * i + 3]
        said = ["" if value is None else text(value) for value in known(values) or ()]
        if said and said[0]:
            views.append(
                RequestView(
                    request_id=request_id,
                    state=said[0],
                    attempt=_count(said[1]),
                    node=said[2],
                    model=said[3],
                    history=said[4],
                    accepted_ms=_count(said[5]),
                    crashes=_count(said[6]),
                    losses=_count(said[7]),
                    callback=said[8],
                    fingerprint=said[9],
                    queue_position=known(rank),
                    final=_final(known(newest)),
                )
            )
    return views


def _count(said: str) -> int:
    """A number in a record; 0 where somebody wrote over it."""
    try:
        return int(said or 0)
    except ValueError:
        return 0


def _final(newest: list[Any] | None) -> dict[str, Any] | None:
    """The newest entry, if it is a final. Outsiders may have added something else."""
    fields: dict[bytes, bytes] = newest[0][1] if newest else {}
    event = read_event(fields.get(b"type", b""), fields.get(b"payload", b""))
    return event.payload if isinstance(event, Final) else None
