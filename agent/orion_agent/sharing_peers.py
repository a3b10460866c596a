"""The other boards, as their reports in the store show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from orion_agent.keeper_names import canonical
from orion_agent.sharing_plan import Peer
from orion_contracts import keys

_URL = re.compile(r"http://[0-9A-Za-z.\[\]:_-]{1,253}:\d{1,5}")
_FIELDS = ("share_url", "models", "running", "pulls")


async def read_peers(store: Redis, me: str) -> Mapping[str, Peer]:
    """Those that live. Raises redis' errors."""
    names = cast(set[bytes], await cast(Any, store.smembers(keys.NODES)))
    others = sorted(name.decode() for name in names if name.decode() != me)
    pipe = store.pipeline(transaction=False)
    for name in others:
        pipe.hmget(keys.node_health(name), list(_FIELDS))
        pipe.exists(keys.alive(name))
    replies: list[Any] = await pipe.execute()
    found: dict[str, Peer] = {}
    for i, name in enumerate(others):
        if replies[2 * i + 1]:
            found[name] = peer(name, dict(zip(_FIELDS, replies[2 * i], strict=True)))
    return found


def peer(name: str, fields: Mapping[str, bytes | None]) -> Peer:
    """One board; what it reports in another shape counts as not reported."""
    try:
        said: dict[str, Any] = {k: orjson.loads(v) for k, v in fields.items() if v is not None}
        url = str(said.get("share_url", ""))
        models = {canonical(m["name"]): str(m["digest"]) for m in said.get("models", ())}
        failed = [p["model"] for p in said.get("pulls", ()) if p["state"] == "failed"]
        return Peer(
            name,
            url if _URL.fullmatch(url) else "",
            models,
            int(said.get("running", 0)),
            frozenset(map(canonical, failed)),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Peer(name)
