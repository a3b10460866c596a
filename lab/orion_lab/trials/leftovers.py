"""What a drained ledger must not hold any more, and what its records tell about the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import redis
from redis.exceptions import ResponseError

from orion_contracts import keys

_TERMINAL: Final = {b"COMPLETED", b"FAILED", b"EXPIRED", b"CANCELLED", b"REJECTED"}


def leftovers(store: redis.Redis, request_ids: Iterable[str]) -> dict[str, int]:
    """Counts that are all zero once everything is answered; the names say of what."""
    found = {
        "queued": int(cast(Any, store.zcard(keys.QUEUE))),
        "due": int(cast(Any, store.zcard(keys.DUE))),
        "bytes counted": int(cast(Any, store.get(keys.BYTES)) or 0),
        "intake entries": int(cast(Any, store.xlen(keys.REQUESTS))),
        "intake pending": _pending(store, keys.REQUESTS, keys.ROUTER_GROUP),
        "in flight": 0,
        "board entries": 0,
        "board pending": 0,
    }
    for raw in cast(Any, store.smembers(keys.NODES)):
        node = raw.decode()
        found["in flight"] += int(cast(Any, store.scard(keys.inflight(node))))
        found["board entries"] += int(cast(Any, store.xlen(keys.node_requests(node))))
        found["board pending"] += _pending(store, keys.node_requests(node), keys.WORKERS_GROUP)
    found["open records"] = sum(
        1 for record in records(store, request_ids) if record and record["state"] not in _TERMINAL
    )
    return found


def evidence(store: redis.Redis, request_ids: Iterable[str]) -> Counter[str]:
    """What the records remember of crashes, losses and repeated attempts."""
    told: Counter[str] = Counter()
    for record in records(store, request_ids):
        if record:
            told["records"] += 1
            told["crashes"] += int(record["crashes"] or 0)
            told["losses"] += int(record["losses"] or 0)
            told["refusals"] += int(record["refusals"] or 0)
            told["requests run again"] += int(record["attempt"] or 0) > 1
            told["most attempts"] = max(told["most attempts"], int(record["attempt"] or 0))
    return told


_FACTS: Final[tuple[str, ...]] = ("state", "attempt", "crashes", "losses", "refusals", "history")


def records(
    store: redis.Redis, request_ids: Iterable[str]
) -> list[Mapping[str, bytes | None] | None]:
    """The records' facts; None where there is no record."""
    pipe = store.pipeline(transaction=False)
    for request_id in request_ids:
        pipe.hmget(keys.record(request_id), _FACTS)
    found: list[Mapping[str, bytes | None] | None] = []
    for values in cast(Any, pipe.execute()):
        known: dict[str, bytes | None] = dict(zip(_FACTS, values, strict=True))
        found.append(known if known["state"] else None)
    return found


def _pending(store: redis.Redis, stream: str, group: str) -> int:
    try:
        return int(cast(Any, store.xpending(stream, group))["pending"])
    except ResponseError:
        return 0  # no such group yet
