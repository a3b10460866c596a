"""What `/v1/queue` reads of the ledger."""

from __future__ import annotations

import uuid

import orjson
import pytest
import redis.asyncio

from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.messages import InferenceRequest, Priority
from orion_contracts.meta import describe
from orion_router.records import read_queue


async def admitted(ledger: Ledger, priority: Priority) -> str:
    """A request that waits, for there is no board."""
    request = InferenceRequest(
        request_id=str(uuid.uuid4()),
        model="m1",
        messages=({"role": "user", "content": "hello"},),
        timestamp="2026-01-01T00:00:00Z",
        source="test",
        priority=priority,
    )
    body = orjson.dumps(request.to_wire())
    await ledger.admit(request, body, describe(request).to_bytes())
    return request.request_id


@pytest.mark.integration
async def test_the_queue_is_read_in_its_order_and_in_part(
    store_client: redis.asyncio.Redis,
) -> None:
    """Interactive before batch, then by acceptance; the depth counts all of it."""
    await ensure_library(store_client)
    ledger = Ledger(store_client)
    empty = await read_queue(store_client, 10)
    batch = await admitted(ledger, "batch")
    first = await admitted(ledger, "interactive")
    second = await admitted(ledger, "interactive")

    whole, part = await read_queue(store_client, 10), await read_queue(store_client, 2)

    accepted = {q.view.request_id: q.view.accepted_ms for q in whole.first}
    # Two of the same millisecond stand in the order of their ids.
    first, second = sorted((first, second), key=lambda each: (accepted[each], each))
    assert (empty.depth, empty.first) == (0, ())
    assert [(q.view.request_id, q.priority, q.view.queue_position) for q in whole.first] == [
        (first, "interactive", 0), (second, "interactive", 1), (batch, "batch", 2),
    ]  # fmt: skip
    assert (whole.depth, part.depth, part.first) == (3, 3, whole.first[:2])
