"""Reading streams, by the hotline where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from orion_contracts.hotline import Argument, Hotline

Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields | None]
"""An entry's id and fields; None: it was deleted while it was pending."""


async def read_streams(
    store: Redis, after: Mapping[str, str], count: int, block_ms: int
) -> list[tuple[bytes, list[Entry]]]:
    """XREAD: the new entries of each stream that has any."""
    if not isinstance(store, Hotline):
        streams: dict[Any, Any] = dict(after)
        reply: Any = await store.xread(streams, count=count, block=block_ms)
        return list(reply or ())
    return _entries(
        await store.call(
            "XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", *after, *after.values(),
            blocking=True,
        )
    )  # fmt: skip


async def read_group(
    store: Redis, group: str, consumer: str, stream: str, after: str, count: int,
    block_ms: int | None,
) -> list[Entry]:  # fmt: skip
    """XREADGROUP on one stream. `block_ms` None: answers at once."""
    if not isinstance(store, Hotline):
        reply: Any = await store.xreadgroup(
            group, consumer, {stream: after}, count=count, block=block_ms
        )
        return reply[0][1] if reply else []
    wait: tuple[Argument, ...] = () if block_ms is None else ("BLOCK", block_ms)
    found = _entries(
        await store.call(
            "XREADGROUP", "GROUP", group, consumer, "COUNT", count, *wait, "STREAMS", stream,
            after, blocking=True,
        )
    )  # fmt: skip
    return found[0][1] if found else []


def _entries(reply: Any) -> list[tuple[bytes, list[Entry]]]:
    return [
        (name, [(entry, None if f is None else _pairs(f)) for entry, f in entries])
        for name, entries in reply or ()
    ]


def _pairs(flat: list[bytes]) -> Fields:
    return dict(zip(flat[::2], flat[1::2], strict=True))
