"""The customer's routing rows, on real servers and on fakeredis."""

from __future__ import annotations

import math
import time
import uuid
from typing import Any

import anyio
import orjson
import pytest
import redis.asyncio

from builders.fleets import GIB, health
from orion_contracts import keys
from orion_contracts.ledger import Ledger, ensure_library
from orion_router.parts import Parts, running
from orion_router.settings import Settings
from servers.stores import Store

DEADLINE_S = 20


@pytest.fixture
async def ledger(store_client: redis.asyncio.Redis) -> Ledger:
    """The ledger over the test's own client."""
    await ensure_library(store_client)
    return Ledger(store_client)


SETTINGS = Settings.read(["--router-id", "r1"], {})


async def report(client: redis.asyncio.Redis, ledger: Ledger, name: str, *resident: str,
                 **facts: Any) -> None:  # fmt: skip
    """A board enlists and reports its health, as a worker does."""
    await ledger.enlist(name, "i1")
    await client.set(keys.alive(name), "i1", px=15_000)
    fields: Any = health(name, resident, **facts).to_hash()
    await client.hset(keys.node_health(name), mapping=fields)


async def send(client: redis.asyncio.Redis, model: str = "m1") -> str:
    """A producer that knows the customer's plan alone."""
    request_id = str(uuid.uuid4())
    payload = {
        "version": "1.0",
        "request_id": request_id,
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "timestamp": "2026-01-01T00:00:00Z",
        "source": "test",
    }
    await client.xadd("orion:inference:requests", {"payload": orjson.dumps(payload)})
    return request_id


async def arrival(client: redis.asyncio.Redis, request_id: str, *nodes: str) -> str:
    """The board on whose stream the request arrives."""
    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s:
        for node in nodes:
            entries: Any = await client.xrange(f"orion:inference:requests:{node}")
            if any(fields.get(b"id") == request_id.encode() for _, fields in entries):
                return node
        await anyio.sleep(0.02)
    raise AssertionError(f"the request reached none of {nodes} within {DEADLINE_S} s")


@pytest.mark.integration
async def test_the_entry_arrives_on_the_stream_of_the_chosen_board(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store
) -> None:
    """Router reads health, decides, and adds the entry to the board's own stream."""
    async with running(SETTINGS, store.connect):
        await report(store_client, ledger, "pi-a")

        assert await arrival(store_client, await send(store_client), "pi-a") == "pi-a"


@pytest.mark.integration
async def test_sticky_routing_prefers_the_board_with_the_model_resident(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store
) -> None:
    """pi-b has m2 in memory; it gets m2 though pi-a comes first and is as idle."""
    async with running(SETTINGS, store.connect) as router:
        await report(store_client, ledger, "pi-a", "m1")
        await report(store_client, ledger, "pi-b", "m2")
        await seen(router, "pi-a", "pi-b")

        assert await arrival(store_client, await send(store_client, "m2"), "pi-a", "pi-b") == "pi-b"


@pytest.mark.integration
async def test_fallback_goes_to_the_least_loaded_board(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store
) -> None:
    """No board has the model in memory: the second request goes where nothing runs."""
    async with running(SETTINGS, store.connect) as router:
        await report(store_client, ledger, "pi-a", slots=4, models=("m1", "m2"))
        await report(store_client, ledger, "pi-b", slots=4, models=("m1", "m2"))
        await seen(router, "pi-a", "pi-b")
        first = await arrival(store_client, await send(store_client, "m1"), "pi-a", "pi-b")
        second = await arrival(store_client, await send(store_client, "m2"), "pi-a", "pi-b")

        assert {first, second} == {"pi-a", "pi-b"}


@pytest.mark.integration
@pytest.mark.parametrize(
    "gated",
    [{"temperature_c": 80.0}, {"memory_available_bytes": math.ceil(8 * GIB * 0.05)}],
    ids=["temperature 80 (limit 75)", "RAM 95 % (limit 90)"],
)
async def test_a_board_over_a_threshold_is_excluded(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store, gated: dict[str, Any]
) -> None:
    """The gated board has the model resident, and still the other one gets the work."""
    async with running(SETTINGS, store.connect) as router:
        await report(store_client, ledger, "pi-a", "m1", **gated)
        await report(store_client, ledger, "pi-b")
        await seen(router, "pi-a", "pi-b")

        assert await arrival(store_client, await send(store_client), "pi-a", "pi-b") == "pi-b"


async def seen(router: Parts, *names: str) -> None:
    """Wait until the router knows these boards."""
    with anyio.fail_after(DEADLINE_S):
        while not set(names) <= set(router.watch.fleet.nodes):  # noqa: ASYNC110 (polls)
            await anyio.sleep(0.02)
