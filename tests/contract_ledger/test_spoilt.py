"""Records that somebody wrote over: nobody else waits for them, and they get their one final."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from contract_ledger.kit import Bench, Held, a_request
from orion_contracts import keys
from orion_contracts.ledger import Closed, FailureKind
from servers.stores import Store

Spoil = Callable[[Bench, str], Awaitable[Any]]


async def a_string(bench: Bench, request_id: str) -> None:
    """SET over it."""
    await bench.store.set(keys.record(request_id), "x")


async def a_stream(bench: Bench, request_id: str) -> None:
    """Removed, and a stream in its place."""
    await bench.store.delete(keys.record(request_id))
    await bench.store.xadd(keys.record(request_id), {"a": "b"})


async def no_deadline(bench: Bench, request_id: str) -> None:
    """HDEL of what every open record has."""
    await bench.store.hdel(keys.record(request_id), "deadline")


async def no_number(bench: Bench, request_id: str) -> None:
    """HSET of a counter to what is none."""
    await bench.store.hset(keys.record(request_id), "crashes", "many")


SPOILS: tuple[Spoil, ...] = (a_string, a_stream, no_deadline, no_number)
each_spoil = pytest.mark.parametrize("spoil", SPOILS, ids=lambda f: f.__name__)


async def scene(bench: Bench, spoil: Spoil) -> tuple[str, Held, Held]:
    """A queued, an assigned and a running request, all spoilt."""
    await bench.board("pi-a")
    queued = await bench.submit()
    assigned = await bench.assigned(await bench.submit())
    running = await bench.running(stream=True)
    for request_id in (queued, assigned.request_id, running.request_id):
        await spoil(bench, request_id)
    return queued, assigned, running


async def lost(bench: Bench, request_id: str) -> None:
    """One final that says so, one dead letter, and no trace in any index."""
    final = await bench.the_final(request_id)
    assert (final["status"], final["error_code"]) == ("failed", "record_lost")
    letters = [each for each in await bench.dead() if each["id"] == request_id]
    assert [each["why"].partition(":")[0] for each in letters] == ["record_lost"]
    assert request_id not in await bench.queue()
    assert request_id not in await bench.inflight()
    assert await bench.due(request_id) is None


@each_spoil
async def test_a_worker_is_told_that_it_is_not_its_own(bench: Bench, spoil: Spoil) -> None:
    """start, emit, finish and release answer at once; the doorbell is settled."""
    _, assigned, running = await scene(bench, spoil)

    assert await bench.start(assigned) is None
    assert await bench.pending(keys.node_requests("pi-a"), keys.WORKERS_GROUP) == 0
    if spoil is not no_number:  # of a counter a running worker need not know
        assert await bench.emit(running, 1, b"x") == "FENCED"
    assert await bench.finish(running) in (Closed.UNKNOWN, Closed.FENCED)
    assert not await bench.release(running, FailureKind.CRASH)


@each_spoil
async def test_a_doorbell_of_it_makes_the_sweep_look_at_once(bench: Bench, spoil: Spoil) -> None:
    """The board's slot is free again, and the request has its final."""
    _, assigned, _ = await scene(bench, spoil)
    await bench.start(assigned)
    await bench.sweep()

    await lost(bench, assigned.request_id)


@each_spoil
async def test_the_sweep_goes_on(bench: Bench, spoil: Spoil) -> None:
    """Each gets its final when it is due, once; a sound request beside them is not touched."""
    queued, assigned, running = await scene(bench, spoil)
    sound = await bench.submit()
    await bench.pass_time(bench.times.run_ms + 1)
    await bench.sweep()
    await lost(bench, assigned.request_id)
    await lost(bench, running.request_id)
    assert await bench.state(sound) == "QUEUED"
    await bench.pass_time(bench.times.backstop_ms)
    await bench.sweep()
    await bench.sweep()

    await lost(bench, queued)
    assert await bench.state(sound) == "EXPIRED"


@each_spoil
async def test_a_cancel_ends_it(bench: Bench, spoil: Spoil) -> None:
    """Whoever finds one can end it without waiting for its deadline."""
    for request_id in (queued := await bench.submit(), queued):
        await spoil(bench, queued)
        assert await bench.ledger.cancel(request_id) in ("UNKNOWN", "FAILED")

    await lost(bench, queued)


@each_spoil
async def test_the_planner_ends_it_with_its_own_words(bench: Bench, spoil: Spoil) -> None:
    """reject publishes the planner's final, once."""
    queued = await bench.submit()
    await spoil(bench, queued)
    final = b'{"status": "failed", "error_code": "record_lost"}'
    assert await bench.ledger.reject(queued, bench.epoch, "failed", final)
    assert not await bench.ledger.reject(queued, "another epoch", "failed", final)
    await bench.ledger.reject(queued, bench.epoch, "failed", final)

    await lost(bench, queued)


@each_spoil
async def test_boards_come_and_go(bench: Bench, spoil: Spoil) -> None:
    """enlist, grace, steady and leave are not stopped by what a board held."""
    _, assigned, running = await scene(bench, spoil)
    assert await bench.ledger.grace(bench.epoch)
    assert await bench.ledger.steady(bench.epoch, await bench.now())
    await bench.ledger.enlist("pi-a", "pi-a#2")
    assert await bench.inflight() == set()
    await bench.ledger.leave("pi-a", "pi-a#2")
    await bench.pass_time(bench.times.run_ms + 1)
    await bench.sweep()

    await lost(bench, assigned.request_id)
    await lost(bench, running.request_id)


@each_spoil
async def test_a_planner_is_told_that_it_is_gone(bench: Bench, spoil: Spoil) -> None:
    """dispatch does not raise, and the next sweep closes it where what it needs is missing."""
    queued, _, _ = await scene(bench, spoil)
    given = await bench.ledger.dispatch(queued, "pi-a", bench.epoch, 99)
    if spoil is no_number:  # of a counter a dispatch need not know
        assert given.obstacle is None
        return
    assert given.obstacle == "GONE"
    await bench.sweep()

    await lost(bench, queued)


async def test_a_record_of_another_type_is_not_admitted_over(bench: Bench) -> None:
    """admit and take refuse before they write anything: the entry is still there to be refused."""
    request = a_request()
    await a_string(bench, request.request_id)
    await bench.board("pi-a")
    for stream in (keys.REQUESTS, keys.node_requests("pi-a")):
        source = await bench.entry(stream=stream)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await bench.admit(request, source=source)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await bench.ledger.take(request, b"{}", b"{}", source, "pi-a", "pi-a#1")
        assert await bench.store.xlen(stream) == 1

    assert await bench.queue() == []
    assert await bench.inflight() == set()


async def test_an_entry_over_a_record_of_another_type_is_answered(bench: Bench) -> None:
    """What lies there is no record, so no other final can be its."""
    request = a_request()
    await a_string(bench, request.request_id)
    source = await bench.entry()
    await bench.ledger.refuse(source, request.request_id, "my:replies", b"{}", "why", b"sample")

    assert await bench.payloads("my:replies", "final") == ["{}"]
    assert [letter["why"] for letter in await bench.dead()] == ["why"]


async def test_a_record_that_may_not_be_read_is_not_taken_for_spoilt(
    bench: Bench, store: Store
) -> None:
    """A store user whose rights were cut closes nothing: the call raises, as for every lack."""
    if store.process is None:
        pytest.skip("fakeredis checks no rights within functions")
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())
    await bench.store.acl_setuser(
        "cut", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-hmget"]
    )
    async with store.connect() as client:
        await client.auth("", "cut")
        with pytest.raises((ResponseError, NoPermissionError)):
            await Bench(client).start(held)
    await bench.store.acl_deluser("cut")

    assert await bench.state(held.request_id) == "ASSIGNED"
    assert await bench.inflight() == {held.request_id}
