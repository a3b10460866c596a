"""What a planner knows of a request, whichever door it came through."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import anyio
import orjson
import pytest
import redis.asyncio

from orion_contracts import keys
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
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


async def test_every_door_hashes_prompts_with_the_same_key(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """The next turn, sent by a producer, shares all boundaries with the first, sent over HTTP."""
    said = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"})
    first = InferenceRequest(
        request_id=str(uuid.uuid4()), model="m1", timestamp="2026-01-01T00:00:00Z", source="test",
        messages=said, options={"num_predict": 9},
    )  # fmt: skip
    reply = ({"role": "assistant", "content": "There."}, {"role": "user", "content": "How far?"})
    second = replace(first, request_id=str(uuid.uuid4()), messages=(*said, *reply))
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
