"""The planner's mirror: what it takes from records, also from those that others wrote over."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest
from redis.asyncio import Redis

from builders.fleets import fleet, node, waiting
from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.config import Routing
from orion_contracts.ledger import ensure_library
from orion_contracts.meta import Meta
from orion_router.backlog import RELEASED, Backlog
from orion_router.policy import UNKNOWN_MODEL_S, Waiting, assign, decide
from servers.stores import fake_store

META = Meta(model="m1").to_bytes()
pytestmark = pytest.mark.may_block("fakeredis")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A ledger with one board."""
    async with fake_store().connect() as client:
        await ensure_library(client)
        made = await Bench(client).begin()
        await made.board("pi-a")
        yield made


async def submit(bench: Bench) -> str:
    """A queued request for m1."""
    request = a_request(model="m1")
    admission = await bench.ledger.admit(request, b"{}", META)
    assert admission.state == "NEW"
    return request.request_id


LONG_S = 120.0
"""More than the starvation bound of 60 s, and the time this queue takes to drain."""


def overtaken(item: Waiting) -> bool:
    """Whether a young request for the model in memory goes before this one, which needs a load."""
    now_s = time.monotonic()
    young = waiting("m2", "young", now_s)
    decided = assign([item, young], fleet(node("a", ("m2",))), {}, now_s, Routing())
    return [each.request_id for each in decided] == ["young"]


async def test_a_takeover_does_not_begin_the_patience_anew(bench: Bench) -> None:
    """What has waited beyond the starvation bound is overtaken no more, whoever plans now."""
    old = await submit(bench)
    await bench.pass_time(int(LONG_S * 1000))
    young = await submit(bench)
    backlog = Backlog(bench.store)
    await backlog.resync()

    assert not overtaken(backlog.waiting[old])
    assert overtaken(backlog.waiting[young])


async def test_facts_are_reckoned_with_as_the_planner_reads_them(bench: Bench) -> None:
    """Of what waits and of what boards hold: a worker that admits a request knows less."""
    request_id, seen = await submit(bench), list[int]()

    def read(raw: bytes) -> Meta:
        seen.append(len(raw))
        return Meta(model="read")

    backlog = Backlog(bench.store, read)
    await backlog.resync()

    assert backlog.waiting[request_id].meta == Meta(model="read")
    assert seen


async def test_but_boards_get_their_time_to_tell_their_models(bench: Bench) -> None:
    """After an hour without any router nothing is refused for a model that no board has told."""
    request_id = await submit(bench)
    await bench.pass_time(3_600_000)
    backlog = Backlog(bench.store)
    await backlog.resync()
    item, unknown = backlog.waiting[request_id], fleet(node("a", models=("m2",)))

    assert decide(item, unknown, {}, time.monotonic(), Routing()).verdict != "model_not_found"
    later_s = time.monotonic() + UNKNOWN_MODEL_S
    assert decide(item, unknown, {}, later_s, Routing()).verdict == "model_not_found"


async def test_what_was_given_back_waits_from_then_on(bench: Bench) -> None:
    """The time that a board held it is no waiting; a planner that saw it keeps what it knows."""
    held = await bench.assigned(await submit(bench))
    await bench.pass_time(int(LONG_S * 1000))
    await bench.release(held)
    backlog = Backlog(bench.store)
    await backlog.resync()
    first = backlog.waiting[held.request_id]
    await backlog.fetch([held.request_id])

    assert overtaken(first)
    assert backlog.waiting[held.request_id] == first


async def test_a_clock_that_was_stepped_back_changes_no_more_than_the_patience(
    bench: Bench,
) -> None:
    """An acceptance in the future counts as now."""
    request_id = await submit(bench)
    await bench.store.hset(keys.record(request_id), "accepted", await bench.now() + 3_600_000)
    backlog = Backlog(bench.store)
    await backlog.resync()

    assert overtaken(backlog.waiting[request_id])
    assert backlog.waiting[request_id].accepted_s <= time.monotonic()


SPOILT = {
    "another type": None,
    "facts that are no JSON": ("meta", "{"),
    "facts without a model": ("meta", "[]"),
    "a place that is no number": ("score", "first"),
}


@pytest.mark.parametrize("kind", SPOILT)
async def test_a_spoilt_record_keeps_no_other_request_waiting(bench: Bench, kind: str) -> None:
    """The others are filed; this one is named, and the ledger closes it when told to."""
    store: Redis = bench.store
    spoilt, sound = await submit(bench), await submit(bench)
    if change := SPOILT[kind]:
        await bench.store.hset(keys.record(spoilt), *change)
    else:
        await store.set(keys.record(spoilt), "x")
    backlog = Backlog(store)
    await backlog.resync()

    assert (set(backlog.waiting), backlog.spoilt) == ({sound}, {spoilt})
    assert await bench.ledger.reject(spoilt, bench.epoch, "failed", b'{"why": "record_lost"}')
    assert await bench.finals(spoilt) == [{"why": "record_lost"}]
    assert await bench.queue() == [sound]
    backlog.forget(spoilt)
    assert backlog.spoilt == set()


async def test_a_running_request_with_spoilt_facts_still_counts(bench: Bench) -> None:
    """Its board is not free."""
    held = await bench.assigned(await submit(bench))
    await bench.store.hset(keys.record(held.request_id), "meta", "{")
    backlog = Backlog(bench.store)
    await backlog.resync()

    assert backlog.load == {"pi-a": {held.request_id: ""}}


async def test_what_a_board_holds_is_known_with_its_facts(bench: Bench) -> None:
    """Another planner's dispatch, found by a look at the ledger: meta, attempt, and since when;
    a second look changes nothing; the end gives it back."""
    held = await bench.assigned(await submit(bench))
    backlog = Backlog(bench.store)
    await backlog.resync()
    found = backlog.held["pi-a"][held.request_id]
    await backlog.fetch([held.request_id])

    assert (found.model, found.meta, found.attempt) == ("m1", Meta(model="m1"), 1)
    assert backlog.held == {"pi-a": {held.request_id: found}}
    assert backlog.load == {"pi-a": {held.request_id: "m1"}}
    assert backlog.forget(held.request_id) == found
    assert backlog.load == {"pi-a": {}}


def test_a_dispatch_keeps_its_moment_when_its_attempt_is_read() -> None:
    """Held from the decision on; the ledger's word adds the attempt; a higher one begins anew."""
    backlog = Backlog(cast(Redis, None))
    backlog.hold("a", "r", Meta(model="m1", input_tokens=7))
    decided = backlog.held["a"]["r"]
    backlog.hold("a", "r", None, 1)
    first = backlog.held["a"]["r"]
    backlog.hold("a", "r", Meta(model="m1"), 2)
    second = backlog.held["a"]["r"]

    assert (decided.attempt, first, second.attempt) == (0, replace(decided, attempt=1), 2)
    assert second.since_s >= first.since_s
    assert second.meta == Meta(model="m1")


def test_a_request_is_in_one_place() -> None:
    """What another board got, or what waits again, the first one does not hold any more."""
    backlog, meta = Backlog(cast(Redis, None)), Meta(model="m1")
    backlog.hold("a", "r", meta, 1)
    backlog.hold("b", "r", meta, 2)
    assert backlog.load == {"a": {}, "b": {"r": "m1"}}

    backlog.enqueue(Waiting("r", meta, 1.0, 0.0, crashes=1))
    assert backlog.load == {"a": {}, "b": {}}

    backlog.hold("a", "r", meta, 3)
    assert backlog.alone == {"a"}


def test_what_was_meant_for_a_board_can_be_taken_back() -> None:
    """Not what the record told meanwhile: that this board runs it, or that another one does."""
    backlog, meta = Backlog(cast(Redis, None)), Meta(model="m1")
    backlog.hold("a", "r", meta)
    backlog.withdraw("b", "r")
    assert backlog.knows("r")
    backlog.withdraw("a", "r")
    assert not backlog.knows("r")

    backlog.hold("a", "r", meta)
    backlog.hold("a", "r", meta, 1)
    backlog.withdraw("a", "r")
    assert backlog.load == {"a": {"r": "m1"}}

    backlog.hold("a", "s", meta)
    backlog.hold("b", "s", meta, 1)
    backlog.withdraw("a", "s")
    assert backlog.load == {"a": {"r": "m1"}, "b": {"s": "m1"}}

    backlog.enqueue(Waiting("t", meta, 1.0, 0.0))
    backlog.withdraw("a", "t")
    assert backlog.knows("t")


def test_the_bell_after_the_record_still_says_what_ran() -> None:
    """A closed record may be read before its bell is heard: what the board held is told once more,
    and of a flood of them only the last ones are kept."""
    backlog, meta = Backlog(cast(Redis, None)), Meta(model="m1")
    backlog.hold("a", "r", meta, 1)
    first, second = backlog.forget("r"), backlog.forget("r")
    for number in range(RELEASED + 1):
        backlog.hold("a", str(number), meta, 1)
        backlog.forget(str(number))

    assert first is not None
    assert second == first
    assert backlog.forget("r") is None
    assert backlog.forget("stranger") is None
