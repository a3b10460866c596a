"""What a planner knows of a request, whichever door it came through."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any, cast

import anyio
import orjson
import pytest
import redis.asyncio

from builders.fleets import health
from orion_contracts import keys
from orion_contracts.facts import Facts
from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.learning.learner import Learner
from orion_router.parts import running
from orion_router.settings import Settings
from servers.stores import Store

SETTINGS = Settings.read(["--router-id", "r1"], {})
WITHIN_S = 20
pytestmark = pytest.mark.integration


async def meta_of(client: Any, request_id: str) -> Meta:
    """The planning facts in the request's record, as soon as it is there."""
    end_s = time.monotonic() + WITHIN_S
    while not (raw := await client.hget(keys.record(request_id), "meta")):
        assert time.monotonic() < end_s, "the request was not admitted"
        await anyio.sleep(0.02)
    return Meta.from_bytes(raw)


def a_request(**fields: Any) -> InferenceRequest:
    """A first turn for m1."""
    said = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"})
    return InferenceRequest(
        request_id=str(uuid.uuid4()), model="m1", timestamp="2026-01-01T00:00:00Z", source="test",
        messages=said, **fields,
    )  # fmt: skip


async def test_every_door_hashes_prompts_with_the_same_key(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """The next turn, sent by a producer, shares all boundaries with the first, sent over HTTP."""
    first = a_request(options={"num_predict": 9})
    reply = ({"role": "assistant", "content": "There."}, {"role": "user", "content": "How far?"})
    second = replace(first, request_id=str(uuid.uuid4()), messages=(*first.messages, *reply))
    async with running(SETTINGS, store.connect) as router:
        with anyio.fail_after(WITHIN_S):
            await router.watch.seen_once.wait()
        follower = await router.desk.submit(first)
        follower.close()
        payload = orjson.dumps(second.to_wire())
        await store_client.xadd(keys.REQUESTS, {"payload": payload})
        before = await meta_of(store_client, first.request_id)
        after = await meta_of(store_client, second.request_id)

    assert len(before.prefixes) == 2
    assert after.prefixes[:2] == before.prefixes
    assert len(after.prefixes) == 4
    assert (before.output_limit, after.output_limit) == (9, 9)


class Listening(Learner):
    """A learner that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Held, Facts]] = []

    def finished(self, node: Node, held: Held, facts: Facts, now_s: float) -> None:
        """See `Learner`."""
        super().finished(node, held, facts, now_s)
        self.told.append((node.name, held, facts))


async def test_the_learner_is_told_how_a_run_went(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """With the worker's facts comes what the board held: the request's own planning facts."""
    await ensure_library(store_client)
    ledger, learner = Ledger(store_client), Listening()
    await ledger.enlist("pi-a", "i1")
    await store_client.persist(keys.alive("pi-a"))
    report: Any = health("pi-a").to_hash()
    await store_client.hset(keys.node_health("pi-a"), mapping=report)
    request, facts = a_request(), Facts(model="m1", prompt_tokens=9, output_tokens=2, output_s=0.5)
    async with running(SETTINGS, store.connect) as router:
        router.planner.learner = learner
        with anyio.fail_after(WITHIN_S):
            while not (router.planner.lease.held and router.watch.fleet.eligible):  # noqa: ASYNC110
                await anyio.sleep(0.02)
            (await router.desk.submit(request)).close()
            while not (rung := await store_client.xrange(keys.node_requests("pi-a"))):  # noqa: ASYNC110
                await anyio.sleep(0.02)
            entry, fields = cast(Any, rung)[0]
            started = await ledger.start(
                "pi-a", entry.decode(), request.request_id, fields[b"token"].decode(), "i1"
            )
            assert started is not None
            await anyio.sleep(0.5)  # no run is so short that its end is rung before its beginning
            final = orjson.dumps({"request_id": request.request_id, "response": "There."})
            await ledger.finish(
                request.request_id, started.token, "completed", final, facts=facts.to_bytes()
            )
            while not learner.told:  # noqa: ASYNC110
                await anyio.sleep(0.02)

    ((board, held, told),) = learner.told
    assert (board, told) == ("pi-a", facts)
    assert held.meta is not None
    assert (held.model, len(held.meta.prefixes)) == ("m1", 2)
