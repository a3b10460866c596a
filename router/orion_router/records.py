"""Requests as the ledger records them, for people and for clients that ask by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from orion_contracts import keys
from orion_router.events import Final, read_event

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
