"""Requests as the ledger records them, for people and for clients that ask by id."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.errors import StoreUnavailable
from orion_contracts.messages import Priority
from orion_router.events import Final, read_event

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
        raise StoreUnavailable(f"the store does not answer: {error}") from error


async def read_queue(store: Redis, limit: int) -> Queue:
    """The queue; no more than `limit` of its requests are read."""
    pipe = store.pipeline(transaction=False)
    pipe.zcard(keys.QUEUE)
    pipe.zrange(keys.QUEUE, 0, limit - 1, withscores=True)
    depth, scored = await pipe.execute()
    scores = {cast(bytes, request_id).decode(): score for request_id, score in scored}
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
    replies: list[Any] = await pipe.execute() if request_ids else []
    views: list[RequestView] = []
    for i, request_id in enumerate(request_ids):
        values, rank, newest = replies[3 * i : 3 * i + 3]
        text = [cast(bytes, v).decode() if v is not None else "" for v in values]
        if text[0]:
            views.append(
                RequestView(
                    request_id=request_id,
                    state=text[0],
                    attempt=int(text[1] or 0),
                    node=text[2],
                    model=text[3],
                    history=text[4],
                    accepted_ms=int(text[5] or 0),
                    crashes=int(text[6] or 0),
                    losses=int(text[7] or 0),
                    callback=text[8],
                    fingerprint=text[9],
                    queue_position=rank,
                    final=_final(newest),
                )
            )
    return views


def _final(newest: list[Any]) -> dict[str, Any] | None:
    """The newest entry, if it is a final. Outsiders may have added something else."""
    fields: dict[bytes, bytes] = newest[0][1] if newest else {}
    event = read_event(fields.get(b"type", b""), fields.get(b"payload", b""))
    return event.payload if isinstance(event, Final) else None
