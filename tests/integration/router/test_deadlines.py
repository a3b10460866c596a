"""Deadlines in the plan, on real servers: who is given its board first, and who is given none."""

from __future__ import annotations

import time
import uuid
from typing import Any

import anyio
import orjson
import pytest
import redis.asyncio

from builders.fleets import health
from orion_contracts import keys
from orion_contracts.ledger import Ledger, ensure_library
from orion_router.parts import Parts, running
from orion_router.settings import Settings
from servers.stores import Store

pytestmark = pytest.mark.integration
SETTINGS = Settings.read(["--router-id", "r1"], {})
WAIT_S = 20


@pytest.fixture
async def ledger(store_client: redis.asyncio.Redis) -> Ledger:
    """The ledger over the test's own client."""
    await ensure_library(store_client)
    return Ledger(store_client)


async def enlist(client: redis.asyncio.Redis, ledger: Ledger, **facts: Any) -> None:
    """One board with one place and m1 in memory."""
    await ledger.enlist("pi-a", "i1")
    await client.set(keys.alive("pi-a"), "i1", px=60_000)
    fields: Any = health("pi-a", ("m1",), **facts).to_hash()
    await client.hset(keys.node_health("pi-a"), mapping=fields)


async def send(client: redis.asyncio.Redis, text: str = "hello", **fields: Any) -> str:
    """A producer's request."""
    request_id = str(uuid.uuid4())
    payload = {
        "version": "1.0", "request_id": request_id, "model": "m1", "source": "test",
        "messages": [{"role": "user", "content": text}], "timestamp": "2026-01-01T00:00:00Z",
        **fields,
    }  # fmt: skip
    await client.xadd(keys.REQUESTS, {"payload": orjson.dumps(payload)})
    return request_id


async def until(what: Any) -> Any:
    """Wait for a truthy answer."""
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        if found := await what():
            return found
        await anyio.sleep(0.02)
    raise AssertionError(f"nothing within {WAIT_S} s")


async def queued(client: redis.asyncio.Redis, router: Parts, *request_ids: str) -> None:
    """Wait until they wait."""

    async def all_of_them() -> bool:
        return set(request_ids) <= set(router.planner.backlog.waiting)

    await until(all_of_them)


async def test_a_pressed_request_gets_the_board_before_one_that_came_earlier(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store
) -> None:
    """One runs, two wait, 10 s of work each; the later one has 20 s when the board is free."""
    async with running(SETTINGS, store.connect) as router:
        await enlist(store_client, ledger)
        first = await send(store_client)

        async def rung() -> Any:
            return await store_client.xrange(keys.node_requests("pi-a"))

        ((entry, fields),) = await until(rung)
        assert fields[b"id"] == first.encode()
        token = fields[b"token"].decode()
        started = await ledger.start("pi-a", entry.decode(), first, token, "i1")
        assert started is not None
        earlier = await send(store_client)
        await queued(store_client, router, earlier)
        pressed = await send(store_client, deadline_ms=20_000)
        await queued(store_client, router, earlier, pressed)
        assert await ledger.finish(first, started.token, "completed", b"{}") == "OK"

        async def next_one() -> Any:
            entries: Any = await store_client.xrange(keys.node_requests("pi-a"))
            return [f[b"id"].decode() for _, f in entries if f[b"id"] != first.encode()]

        assert await until(next_one) == [pressed]


async def test_a_hopeless_request_is_not_begun_and_expires(
    store_client: redis.asyncio.Redis, ledger: Ledger, store: Store
) -> None:
    """2,000 tokens at 10 a second, in one second: the board stays free for the next one."""
    rates = {"m1:latest": {"prefill_tokens_per_second": 10.0, "decode_tokens_per_second": 5.0}}
    async with running(SETTINGS, store.connect) as router:
        await enlist(store_client, ledger, rates=rates)

        async def known() -> bool:
            return "pi-a" in router.watch.fleet.nodes

        await until(known)
        late = await send(store_client, "word " * 1600, deadline_ms=1000)
        await queued(store_client, router, late)
        why = router.desk.decisions(1, late).noted[0].decision.why

        async def answered() -> Any:
            return await store_client.xrange(keys.responses(late))

        ((_, fields),) = await until(answered)
        final = orjson.loads(fields[b"payload"])

        assert why == "its deadline is too near for any board"
        assert (final["status"], final["error_code"]) == ("expired", "deadline")
        assert not await store_client.xlen(keys.node_requests("pi-a"))
