"""What lies on the streams of boards that are gone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import orjson
import pytest
import redis.asyncio

from orion_contracts import keys
from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_router import strays as module
from orion_router.parts import Parts, running
from orion_router.settings import Settings
from orion_router.strays import Strays
from servers.stores import Store

SETTINGS = Settings.read(["--router-id", "r1"], {})
WITHIN_S = 20
pytestmark = pytest.mark.integration


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> None:
    """Wait for a condition; fail with its name."""
    end_s = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < end_s, what
        await anyio.sleep(0.02)


def quick(parts: Parts) -> Strays:
    """Strays that take a silent board for gone at once."""
    return Strays(parts.store, parts.intake, parts.watch, parts.planner.lease, gone_s=0.0)


async def test_a_stream_of_another_type_does_not_stop_the_boards_behind_it(
    store_client: redis.asyncio.Redis, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first in the alphabet is spoilt; the request on the second one's stream is moved, also
    when fields of a doorbell stand beside it."""
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    await ensure_library(store_client)
    for name in ("pi-a", "pi-b"):
        await Ledger(store_client).enlist(name, "i1")
        await store_client.delete(keys.alive(name))
    await store_client.delete(keys.node_requests("pi-a"))
    await store_client.set(keys.node_requests("pi-a"), "x")
    asked = InferenceRequest(
        request_id=str(uuid.uuid4()), model="m1", timestamp="2026-01-01T00:00:00Z", source="test",
        messages=({"role": "user", "content": "hello"},),
    )  # fmt: skip
    stream = keys.node_requests("pi-b")
    payload = orjson.dumps(asked.to_wire())
    await store_client.xadd(stream, {"payload": payload, "token": "1:a", "id": asked.request_id})
    await store_client.xadd(stream, {"token": "1:a"})
    await store_client.xadd(stream, {"token": "1:a", "id": asked.request_id})
    async with running(SETTINGS, store.connect) as router, anyio.create_task_group() as tasks:
        tasks.start_soon(quick(router).run)
        await until(lambda: store_client.exists(keys.record(asked.request_id)), "not moved")

        async def emptied() -> bool:
            return await store_client.xlen(stream) == 0

        await until(emptied, "an entry stays")
        assert await store_client.xlen(keys.DEAD) == 1  # the one that is neither
        tasks.cancel_scope.cancel()


async def test_the_stream_of_a_board_that_left_and_was_forgotten_is_emptied(
    store_client: redis.asyncio.Redis, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its producer still knows the name. No router saw the board, so none remembers it."""
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    await ensure_library(store_client)
    await Ledger(store_client).enlist("pi-a", "i1")
    await Ledger(store_client).leave("pi-a", "i1")
    asked = InferenceRequest(
        request_id=str(uuid.uuid4()), model="m1", timestamp="2026-01-01T00:00:00Z", source="test",
        messages=({"role": "user", "content": "hello"},),
    )  # fmt: skip
    async with running(SETTINGS, store.connect) as router, anyio.create_task_group() as tasks:
        await store_client.xadd(
            keys.node_requests("pi-a"), {"payload": orjson.dumps(asked.to_wire())}
        )
        tasks.start_soon(quick(router).run)
        await until(lambda: store_client.exists(keys.record(asked.request_id)), "not moved")
        tasks.cancel_scope.cancel()
