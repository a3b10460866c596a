"""Strange values under our keys: the router goes on around them, and with them once mended."""

from __future__ import annotations

import logging
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
from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_router.parts import running
from orion_router.settings import Settings
from orion_router.watch import Watch
from servers.stores import Store

SETTINGS = Settings.read(["--router-id", "r1"], {})
WITHIN_S = 20
BYTES = b"\xff\xfe"
pytestmark = pytest.mark.integration

Client = redis.asyncio.Redis
Spoil = Callable[[Any], Awaitable[Any]]


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> None:
    """Wait for a condition; fail with its name."""
    end_s = time.monotonic() + WITHIN_S
    while not await condition():
        assert time.monotonic() < end_s, what
        await anyio.sleep(0.02)


async def enlisted(client: Client, name: str) -> Ledger:
    """A board that reports."""
    await ensure_library(client)
    ledger = Ledger(client)
    await ledger.enlist(name, "i1")
    await client.set(keys.alive(name), "i1", px=60_000)
    fields: Any = health(name, slots=9).to_hash()
    await client.hset(keys.node_health(name), mapping=fields)
    return ledger


def request() -> InferenceRequest:
    """A small request."""
    return InferenceRequest(
        request_id=str(uuid.uuid4()), model="m1", timestamp="2026-01-01T00:00:00Z", source="test",
        messages=({"role": "user", "content": "hello"},),
    )  # fmt: skip


async def replaced(client: Any, key: str) -> None:
    """A string under the key, whatever was there."""
    await client.set(key, "x")


SPOILS: dict[str, Spoil] = {
    "bytes in the queue": lambda c: c.zadd(keys.QUEUE, {BYTES: 1.0}),
    "bytes among the boards": lambda c: c.sadd(keys.NODES, BYTES),
    "bytes in a board's hands": lambda c: c.sadd(keys.inflight("pi-a"), BYTES),
    "bytes as a planner's epoch": lambda c: c.hset(keys.PLANNER, "epoch", BYTES),
    "bytes as a planner's name": lambda c: c.hset(keys.PLANNER, "owner", BYTES),
    "bytes from a planner": lambda c: c.publish(keys.PLANNER_BEAT, BYTES),
    "no planner's key": lambda c: replaced(c, keys.PLANNER),
    "an endless clock": lambda c: c.hset(keys.CLOCK, "offset", "1e400"),
    "a clock of bytes": lambda c: c.hset(keys.CLOCK, "offset", BYTES),
    "no clock's key": lambda c: replaced(c, keys.CLOCK),
    "no report's key": lambda c: replaced(c, keys.node_health("pi-b")),
    "no set in a board's hands": lambda c: replaced(c, keys.inflight("pi-b")),
    "a board of two types": lambda c: replaced(c, keys.node_requests("pi-b")),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
@pytest.mark.parametrize("before", [True, False], ids=["before", "while"])
async def test_the_router_plans_around_it(
    store_client: Client, store: Store, spoil: Spoil, before: bool
) -> None:
    """Whether it was there at the start or comes later: the next requests get to the sound board,
    and over HTTP the queue and the requests can be seen."""
    await enlisted(store_client, "pi-a")
    await enlisted(store_client, "pi-b")
    if before:
        await spoil(store_client)
    async with running(SETTINGS, store.connect) as router:
        await until(lambda: seen(router.watch, "pi-a"), "the board was not seen")
        if not before:
            await spoil(store_client)
        await ask_and_see_it_placed(store_client)
        await ask_and_see_it_placed(store_client)
        await router.desk.requests(10)
        await router.desk.queue(10)


async def seen(watch: Watch, name: str) -> bool:
    """Whether the board may take work."""
    node = watch.fleet.nodes.get(name)
    return node is not None and node.eligible


async def placed(client: Client, asked: InferenceRequest) -> bool:
    """Whether a board was given the request."""
    return await client.hget(keys.record(asked.request_id), "state") == b"ASSIGNED"


async def ask_and_see_it_placed(client: Client) -> None:
    """By the intake stream."""
    asked = request()
    await client.xadd(keys.REQUESTS, {"payload": orjson.dumps(asked.to_wire())})
    await until(lambda: placed(client, asked), "not planned")


async def test_a_queue_of_another_type_is_survived_and_used_when_mended(
    store_client: Client, store: Store
) -> None:
    """Nothing can be admitted meanwhile; nothing has to be restarted afterwards."""
    await enlisted(store_client, "pi-a")
    await store_client.set(keys.QUEUE, "x")
    async with running(SETTINGS, store.connect) as router:
        await until(lambda: seen(router.watch, "pi-a"), "the board was not seen")
        await router.planner.backlog.resync()
        await store_client.delete(keys.QUEUE)
        asked = request()
        (await router.desk.submit(asked)).close()
        await until(lambda: placed(store_client, asked), "not planned")


async def test_an_error_that_nobody_expected_is_said_once_and_survived(
    store_client: Client,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In each of the loops that must not end."""
    await enlisted(store_client, "pi-a")
    async with running(SETTINGS, store.connect) as router:
        await until(lambda: seen(router.watch, "pi-a"), "the board was not seen")
        calls: dict[str, int] = dict.fromkeys(("watch", "sweep", "planner", "planner lease"), 0)

        def failing(loop: str) -> Callable[..., Awaitable[Any]]:
            async def fail(*_: Any) -> Any:
                calls[loop] += 1
                raise ValueError("strange")

            return fail

        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(router.watch, "_look", failing("watch"))
            patch.setattr(router.upkeep, "tick", failing("sweep"))
            patch.setattr(router.planner, "_plan", failing("planner"))
            patch.setattr(router.planner.lease, "_hold", failing("planner lease"))

            async def repeated() -> bool:
                router.planner.wake()
                return all(count >= 2 for loop, count in calls.items() if loop != "planner lease")

            await until(repeated, f"a loop ended: {calls}")
        told = [r.getMessage() for r in caplog.records if "trying again" in r.getMessage()]
        assert sorted(told) == sorted(set(told))
        asked = request()
        (await router.desk.submit(asked)).close()
        await until(lambda: placed(store_client, asked), "not planned afterwards")


async def test_a_board_that_left_is_forgotten_and_a_silent_one_is_not(
    store_client: Client, store: Store
) -> None:
    """The models that only the former had become unknown; the latter may come back with its."""
    left = await enlisted(store_client, "pi-a")
    await enlisted(store_client, "pi-b")
    async with store.connect() as client:
        watch = Watch(client, "r1", lambda: None, forget_s=0.2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await until(lambda: seen(watch, "pi-a"), "the board was not seen")
            await until(lambda: seen(watch, "pi-b"), "the board was not seen")
            await store_client.delete(keys.alive("pi-b"))
            await left.leave("pi-a", "i1")

            async def forgotten() -> bool:
                watch.poke()
                return "pi-a" not in watch.fleet.nodes

            await until(forgotten, "the board that left stays")
            silent = watch.fleet.nodes["pi-b"]
            assert (silent.reasons, watch.fleet.knows("m1")) == (("silent",), True)
            tasks.cancel_scope.cancel()


async def test_a_report_that_breaks_its_schema_is_said_once(
    store_client: Client, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with every look: the log lies on a card that wears."""
    await enlisted(store_client, "pi-a")
    spoilt: Any = store_client.hset(keys.node_health("pi-a"), "slots", b"0")
    await spoilt
    looks = 0

    def looked() -> None:
        nonlocal looks
        looks += 1

    async with store.connect() as client:
        watch = Watch(client, "r1", looked)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)

            async def thrice() -> bool:
                watch.poke()
                return looks >= 3

            await until(thrice, "nothing is looked at")
            tasks.cancel_scope.cancel()
    said = [r for r in caplog.records if "breaks its schema" in r.getMessage()]
    assert len(said) == 1
