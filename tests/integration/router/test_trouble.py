"""What outsiders and time do to the store stops neither the router nor its clients."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import orjson
import pytest
import redis.asyncio

from builders.fleets import health
from orion_contracts import keys
from orion_contracts.errors import LedgerRefused
from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_contracts.stamp import iso_now
from orion_router.parts import running
from orion_router.refusals import AnswerExpired
from orion_router.settings import Settings
from servers.stores import Store

SETTINGS = Settings.read(["--router-id", "r1"], {})
WITHIN_S = 20


def request(request_id: str) -> InferenceRequest:
    """A small request."""
    return InferenceRequest(
        request_id=request_id,
        model="m1",
        messages=({"role": "user", "content": "hello"},),
        timestamp="2026-01-01T00:00:00Z",
        source="test",
    )


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> None:
    """Wait for a condition; fail with its name."""
    end_s = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < end_s, what
        await anyio.sleep(0.02)


async def enlisted(client: redis.asyncio.Redis, name: str, **facts: Any) -> Ledger:
    """A board that reports."""
    await ensure_library(client)
    ledger = Ledger(client)
    await ledger.enlist(name, "i1")
    await client.set(keys.alive(name), "i1", px=15_000)
    fields: Any = health(name, **facts).to_hash()
    await client.hset(keys.node_health(name), mapping=fields)
    return ledger


async def answer(client: redis.asyncio.Redis, request_id: str) -> dict[str, Any]:
    """The final on a request's own stream."""
    await until(lambda: client.exists(keys.responses(request_id)), f"no answer of {request_id}")
    entries: Any = await client.xrange(keys.responses(request_id))
    (fields,) = [fields for _, fields in entries if fields[b"type"] == b"final"]
    return dict(orjson.loads(fields[b"payload"]))


@pytest.mark.integration
async def test_an_answer_that_is_gone_is_said_to_be_gone(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """A POST repeated after the hour of its answer gets an error, not an endless wait."""
    request_id = str(uuid.uuid4())
    async with running(SETTINGS, store.connect) as router:
        ledger = await enlisted(store_client, "pi-a")
        (await router.desk.submit(request(request_id))).close()
        await ledger.cancel(request_id)
        await store_client.delete(keys.responses(request_id))

        with pytest.raises(AnswerExpired, match="new request id"):
            await router.desk.submit(request(request_id))


@pytest.mark.integration
async def test_an_entry_that_the_ledger_cannot_take_does_not_stop_the_next(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """Somebody spoilt the record's key: the entry is answered and buried, the next admitted."""
    spoilt, sound = str(uuid.uuid4()), str(uuid.uuid4())
    async with running(SETTINGS, store.connect) as router:
        await ensure_library(store_client)
        await store_client.xadd(keys.record(spoilt), {"a": "b"})
        for request_id in (spoilt, sound):
            payload = orjson.dumps(request(request_id).to_wire())
            await store_client.xadd(keys.REQUESTS, {"payload": payload})

        await until(lambda: store_client.exists(keys.record(sound)), "the next entry was not taken")
        assert await store_client.xlen(keys.DEAD) == 1
        final = await answer(store_client, spoilt)
        assert (final["status"], final["error_code"]) == ("rejected", "ledger_refused")
        with pytest.raises(LedgerRefused):  # over HTTP: 409, for asking again is no use
            await router.desk.submit(request(spoilt))


@pytest.mark.integration
async def test_a_record_overwritten_in_the_queue_ends_and_stops_nobody(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """It gets its one final, its client over HTTP learns of it, and the others are planned."""
    spoilt, sound = str(uuid.uuid4()), str(uuid.uuid4())
    async with running(SETTINGS, store.connect) as router:
        await ensure_library(store_client)
        follower = await router.desk.submit(request(spoilt))
        await store_client.set(keys.record(spoilt), "x")
        ledger = await enlisted(store_client, "pi-a")
        (await router.desk.submit(request(sound))).close()

        final = await answer(store_client, spoilt)
        assert (final["status"], final["error_code"]) == ("failed", "record_lost")
        await until(lambda: store_client.sismember(keys.inflight("pi-a"), sound), "not planned")
        assert await store_client.zscore(keys.DUE, spoilt) is None
        seen: list[Any] = []
        while follower.final is None:
            seen += await follower.next(WITHIN_S)
        assert follower.final.payload["error_code"] == "record_lost"
        follower.close()
        await ledger.leave("pi-a", "i1")


@pytest.mark.integration
async def test_a_configuration_of_another_type_does_not_freeze_the_gates(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """Boards are looked at all the same: one that grows hot is excluded."""
    await store_client.xadd(keys.CONFIG, {"a": "b"})
    async with running(SETTINGS, store.connect) as router:
        await enlisted(store_client, "pi-a", temperature_c=80.0)

        async def excluded() -> bool:
            node = router.watch.fleet.nodes.get("pi-a")
            return node is not None and "hot" in node.reasons

        await until(excluded, "the hot board was not excluded")
        assert router.watch.config_error


@pytest.mark.integration
async def test_a_configuration_is_in_force_within_seconds_and_told(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """New thresholds gate on the report at hand; the router tells the generation that it runs."""
    wire = {"version": "1.0", "generation": 7, "timestamp": iso_now(), "source": "test"}
    wire |= {"thresholds": {"temperature_exclude_c": 50, "temperature_return_c": 45}}
    async with running(SETTINGS, store.connect) as router:
        await enlisted(store_client, "pi-a", temperature_c=60.0)

        async def reasons(*expected: str) -> bool:
            node = router.watch.fleet.nodes.get("pi-a")
            return node is not None and node.reasons == expected

        async def told() -> bool:
            return await store_client.hgetall(keys.CONFIG_APPLIED) == {b"r1": b"7"}

        await until(reasons, "the board was not eligible at first")
        await store_client.set(keys.CONFIG, orjson.dumps(wire))
        await until(lambda: reasons("hot"), "the new threshold did not count")
        await until(told, "the router did not say which generation it runs")
