"""The stores that one test can be run on: fakeredis in process, and real servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import fakeredis
import redis
import redis.asyncio

from orion_lab.stores import StoreProcess

StoreName = Literal["fakeredis", "redis7", "redis8", "valkey9"]


@dataclass(frozen=True)
class Store:
    """An empty store: how to reach it, and the process behind it (None for fakeredis)."""

    kind: StoreName
    connect: Callable[[], redis.asyncio.Redis]
    """A new client that answers bytes; the test closes it (or uses the fixture store_client)."""
    connect_blocking: Callable[[], redis.Redis]
    process: StoreProcess | None = None

    def __repr__(self) -> str:
        return f"Store({self.kind})"


def fake_store() -> Store:
    """A fakeredis of its own, empty."""
    server = fakeredis.FakeServer(version=(7, 0))
    return Store(
        kind="fakeredis",
        connect=lambda: fakeredis.FakeAsyncRedis(server=server),
        connect_blocking=lambda: fakeredis.FakeRedis(server=server),
    )


def real_store(process: StoreProcess) -> Store:
    """The store of a running server, emptied (functions stay loaded)."""
    with process.client() as client:
        client.flushall()
    return Store(
        kind=process.kind,
        connect=lambda: redis.asyncio.Redis.from_url(process.url),
        connect_blocking=process.client,
        process=process,
    )


def start_server(kind: Literal["redis7", "redis8", "valkey9"], directory: Path) -> StoreProcess:
    """A server for many tests: AOF on, nothing evicted, every write synced."""
    return StoreProcess(kind, directory).start()
