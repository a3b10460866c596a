"""Another module of ORION, as far as the tests need one: it adds requests and reads records."""

from __future__ import annotations

import uuid
from typing import Any, cast

import orjson
import redis

from orion_contracts import keys
from orion_contracts.stamp import iso_now
from orion_lab.trials.until import until

MODEL = "smollm2:135m"


def add(store: redis.Redis, prompt: str = "Hello", *, tokens: int = 8, **fields: Any) -> str:
    """XADD one request; its id."""
    request_id = str(uuid.uuid4())
    document = {
        "version": "1.0",
        "request_id": request_id,
        "model": MODEL,
        "messages": [{"role": "user", "content": f"{prompt} {request_id}"}],
        "timestamp": iso_now(),
        "source": "orion-lab",
        "options": {"num_predict": tokens},
        **fields,
    }
    store.xadd(keys.REQUESTS, {"payload": orjson.dumps(document)})
    return request_id


def record(store: redis.Redis, request_id: str) -> dict[str, str]:
    """The request's record without its body; empty when unknown."""
    raw = cast(dict[bytes, bytes], store.hgetall(keys.record(request_id)))
    return {k.decode(): v.decode() for k, v in raw.items() if k not in (b"body", b"meta")}


def state(store: redis.Redis, request_id: str) -> str:
    """The record's state; empty when unknown. A store that is away counts as unknown."""
    try:
        value = cast(bytes | None, store.hget(keys.record(request_id), "state"))
    except redis.RedisError:
        return ""
    return value.decode() if value else ""


def finals(store: redis.Redis, stream: str) -> list[dict[str, Any]]:
    """The finals on a reply stream."""
    entries = cast(Any, store.xrange(stream))
    return [orjson.loads(f[b"payload"]) for _, f in entries if f.get(b"type") == b"final"]


def wait_final(store: redis.Redis, request_id: str, within_s: float = 30.0) -> dict[str, Any]:
    """The one final of a request, once it is there.

    Raises:
        TimeoutError: it did not come; AssertionError: there are several.
    """
    stream = keys.responses(request_id)
    until(lambda: bool(finals(store, stream)), within_s, f"a final of {request_id}")
    found = finals(store, stream)
    assert len(found) == 1, found
    return found[0]


def wait_state(
    store: redis.Redis, request_id: str, *states: str, within_s: float = 15.0, pause_s: float = 0.01
) -> float:
    """Wait until the record is in one of these states; the seconds it took."""
    return until(
        lambda: state(store, request_id) in states,
        within_s,
        f"{request_id} in {'/'.join(states)}",
        pause_s,
    )
