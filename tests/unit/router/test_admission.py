"""Admission beside a planner: what a repeated request changes, and what counts as a fallback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest

from builders.fleets import GIB, fleet, node
from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.config import ClusterConfig, ModelConfig, Routing
from orion_contracts.errors import QueueFull
from orion_contracts.ledger import ensure_library
from orion_contracts.limits import DEFAULT_LIMITS
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router.desk import Desk
from orion_router.intake import Intake
from orion_router.planner import Planner
from orion_router.postbox import Mailbox
from orion_router.watch import Watch
from servers.stores import fake_store

pytestmark = pytest.mark.may_block("fakeredis")
SMALLER = ClusterConfig(models=(ModelConfig(name="big", fallback="m1"), ModelConfig(name="m1")))


class Rig:
    """A router that plans, on a ledger with two boards that have m1 and one place each."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.watch = Watch(bench.store, "router-a", lambda: None)
        self.watch.fleet = fleet(node("pi-a", {"m1": GIB}), node("pi-b", {"m1": GIB}))
        self.planner = Planner(bench.store, bench.ledger, "router-a/1", self.watch)
        self.planner.lease.epoch = bench.epoch
        postbox = Mailbox(bench.store, "router-a", self.planner.ring)
        self.desk = Desk(bench.store, bench.ledger, self.watch, self.planner, postbox)

    async def submit(self, request: InferenceRequest) -> None:
        """As the gateway does; nobody waits for the answer."""
        (await self.desk.submit(request)).close()

    def holders(self, request_id: str) -> list[str]:
        """The boards that the planner believes to hold it."""
        return [name for name, mine in self.planner.backlog.load.items() if request_id in mine]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """One with nothing to do."""
    async with fake_store().connect() as client:
        await ensure_library(client)
        bench = await Bench(client).begin()
        await bench.board("pi-a")
        await bench.board("pi-b")
        yield Rig(bench)


async def test_asking_again_leaves_the_request_where_it_is(rig: Rig) -> None:
    """Its board stays taken, with all that was known of it; nothing is decided a second time."""
    request, backlog = a_request(model="m1"), rig.planner.backlog
    await rig.submit(request)
    (board,) = rig.holders(request.request_id)
    backlog.suspects.add(request.request_id)
    known = backlog.held[board][request.request_id]

    await rig.submit(request)

    assert rig.holders(request.request_id) == [board]
    assert backlog.held[board][request.request_id] is known
    assert backlog.alone == {board}
    assert rig.planner.counts["assign"] == 1


async def test_a_long_prompt_is_planned_with_what_will_be_read_of_it(rig: Rig) -> None:
    """On the boards and in the queue, of this router and of one that takes over; the record keeps
    what came."""
    rig.watch.config = ClusterConfig(models=(ModelConfig(name="m1", context_length=8192),))
    long = ({"role": "user", "content": "x" * 200_000},)
    for _ in range(3):
        await rig.submit(replace(a_request(model="m1"), messages=long))
    other = Planner(rig.bench.store, rig.bench.ledger, "router-b/1", rig.watch)
    await other.backlog.resync()

    for backlog in (rig.planner.backlog, other.backlog):
        held = [each.meta for mine in backlog.held.values() for each in mine.values()]
        waiting = [each.meta for each in backlog.waiting.values()]
        assert len(held) == 2
        assert len(waiting) == 1
        assert [meta.input_tokens if meta else 0 for meta in (*held, *waiting)] == [8192] * 3
    (waits,) = other.backlog.waiting
    raw = await rig.bench.store.hget(keys.record(waits), "meta")
    assert Meta.from_bytes(raw).input_tokens > 50_000


async def test_asking_again_leaves_the_queue_as_it_is(rig: Rig) -> None:
    """One that waits is found at its place."""
    for _ in range(2):
        await rig.submit(a_request(model="m1"))
    request = a_request(model="m1")
    await rig.submit(request)
    before = dict(rig.planner.backlog.waiting)
    assert list(before) == [request.request_id]

    await rig.submit(request)

    assert rig.planner.backlog.waiting == before


async def test_a_board_that_was_only_thought_of_is_free_again(rig: Rig) -> None:
    """Another router took the request before, and this planner had not heard of it."""
    request = a_request(model="m1")
    mark = "its content"
    await rig.bench.ledger.admit(request, b"{}", b'{"model":"m1"}', mark=mark)

    (await rig.desk.submit(request, mark=mark)).close()

    assert rig.holders(request.request_id) == []
    assert rig.planner.counts["assign"] == 0


async def test_a_fallback_counts_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """When the request is accepted: however often it is asked for again."""
    rig.watch.config = SMALLER
    request = a_request(model="big", allow_fallback=True)

    with caplog.at_level(logging.INFO, "orion_router.naming"):
        await rig.submit(request)
        await rig.submit(request)

    assert rig.desk.naming.fallbacks == {"no_board": 1}
    assert len(caplog.records) == 1
    assert "m1 answers for big (no_board)" in caplog.text


async def test_who_is_refused_falls_back_to_nothing(rig: Rig) -> None:
    """A queue that is full takes neither model."""
    rig.watch.config = replace(SMALLER, routing=Routing(max_queue_requests=0))

    with pytest.raises(QueueFull):
        await rig.submit(a_request(model="big", allow_fallback=True))

    assert not rig.desk.naming.fallbacks


async def test_an_entry_that_is_read_again_counts_once(rig: Rig) -> None:
    """As after a restart of the router, or a takeover from one that died."""
    rig.watch.config = SMALLER
    none = cast(Any, None)
    intake = Intake(none, rig.bench.ledger, "router-a", rig.watch, rig.planner, DEFAULT_LIMITS,
                    rig.desk.naming)  # fmt: skip
    document = a_request(model="big", allow_fallback=True).to_wire()

    for _ in range(2):
        fields = {b"payload": orjson.dumps(document)}
        await intake.handle(b"1-1", fields, keys.REQUESTS, keys.ROUTER_GROUP)

    assert (intake.read, intake.refused) == (2, 0)
    assert rig.desk.naming.fallbacks == {"no_board": 1}
