"""Following goes on whatever somebody puts in the place of one answer's stream."""

from __future__ import annotations

import uuid
from typing import Any, cast

import anyio
import orjson
import pytest
import redis.asyncio

from orion_contracts import keys
from orion_contracts.ledger import Ledger
from orion_contracts.stamp import iso_now
from orion_router import tracking
from orion_router.follower import Follower
from orion_router.tracking import Tracker

pytestmark = pytest.mark.integration


class Box:
    """A mailbox that nothing is ever sent to."""

    key = "orion:inference:mailbox:r1"

    def __init__(self) -> None:
        self.followers: list[Follower] = []

    def add(self, follower: Follower) -> None:
        """It listens."""
        self.followers.append(follower)

    def remove(self, follower: Follower) -> None:
        """It is done."""
        self.followers.remove(follower)

    def open_followers(self) -> list[Follower]:
        """All that listen."""
        return list(self.followers)


async def test_a_stream_of_another_type_leaves_the_other_followers_theirs(
    store_client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The final that got lost on its way to the mailbox is found all the same."""
    monkeypatch.setattr(tracking, "QUIET_CHECK_S", 0.01)
    spoilt, sound = str(uuid.uuid4()), str(uuid.uuid4())
    await store_client.set(keys.responses(spoilt), "x")
    final = {"request_id": sound, "status": "completed", "timestamp": iso_now(), "attempt": 1}
    fields: dict[Any, Any] = {"type": "final", "payload": orjson.dumps(final)}
    await store_client.xadd(keys.responses(sound), fields, id="1-999999999")
    tracker = Tracker(store_client, Ledger(store_client), cast(Any, Box()))
    tracker.follow(spoilt)
    follower = tracker.follow(sound)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tracker.mend)
        with anyio.fail_after(10):
            while follower.final is None:
                await follower.next(10)
        tasks.cancel_scope.cancel()
