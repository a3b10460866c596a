"""planner, resign, grace and sweep: one planner at a time, and what it keeps in order."""

from __future__ import annotations

import asyncio

import pytest

from contract_ledger.kit import Bench, a_request
from orion_contracts import keys


async def test_first_claim_takes_and_repeating_confirms(bench: Bench) -> None:
    """TAKEN, then MINE under the same epoch."""
    await bench.store.delete(keys.PLANNER)
    first, again = await bench.ledger.planner("me"), await bench.ledger.planner("me")

    assert (first.held, first.taken, first.owner) == (True, True, "me")
    assert (again.held, again.taken, again.epoch) == (True, False, first.epoch)


async def test_nobody_takes_what_is_held(bench: Bench) -> None:
    """OTHER with owner and epoch, also to a challenger with an outdated epoch."""
    for seen in ("", "0", "99"):
        claim = await bench.ledger.planner("router-b", seen)
        assert (claim.held, claim.owner, claim.epoch) == (False, "router-a", bench.epoch)


async def test_of_two_challengers_one_wins(bench: Bench) -> None:
    """Compare-and-set on the epoch of the holder that fell silent."""
    claims = await asyncio.gather(
        *(bench.ledger.planner(f"router-{n}", bench.epoch) for n in range(5))
    )
    winners = [c for c in claims if c.held]

    assert len(winners) == 1
    assert {c.owner for c in claims} == {winners[0].owner}
    assert int(winners[0].epoch) == int(bench.epoch) + 1


async def test_deposed_planner_can_do_nothing(bench: Bench) -> None:
    """After a takeover every call of the old epoch is NOT_PLANNER and changes nothing."""
    await bench.board("pi-a")
    request_id = await bench.submit(a_request(deadline_ms=1000))
    await bench.ledger.planner("router-b", bench.epoch)
    await bench.pass_time(5000)
    ledger, old = bench.ledger, bench.epoch

    assert (await ledger.planner("router-a")).held is False
    assert (await ledger.dispatch(request_id, "pi-a", old, 1)).obstacle == "NOT_PLANNER"
    assert (await ledger.sweep(old, await bench.now())).state == "NOT_PLANNER"
    assert not await ledger.reject(request_id, old, "failed", b"{}")
    assert not await ledger.grace(old)
    assert not await ledger.steady(old, 1)
    assert await bench.state(request_id) == "QUEUED"


async def test_resigned_lease_is_free_at_once(bench: Bench) -> None:
    """An orderly stop: the next one takes over without waiting."""
    await bench.ledger.resign("somebody else")
    assert not (await bench.ledger.planner("router-b")).held
    await bench.ledger.resign("router-a")
    claim = await bench.ledger.planner("router-b")

    assert (claim.held, claim.taken) == (True, True)
    assert int(claim.epoch) > int(bench.epoch)


async def test_sweep_expires_what_is_overdue_in_every_state(bench: Bench) -> None:
    """Queued, assigned and running past the deadline: one final `expired` each."""
    await bench.board("pi-a")
    requests = [a_request(deadline_ms=1000) for _ in range(3)]
    for request in requests:
        await bench.submit(request)
    await bench.assigned(requests[1].request_id)
    held = await bench.running(requests[2].request_id)
    assert (await bench.sweep()).moved == 0
    await bench.pass_time(1001)
    assert (await bench.sweep()).moved == 3

    for request in requests:
        final = await bench.the_final(request.request_id)
        assert (final["status"], final["error_code"]) == ("expired", "deadline")
        assert await bench.due(request.request_id) is None
    assert await bench.finish(held) == "DUP"
    assert await bench.inflight() == set()
    assert (await bench.sweep()).moved == 0


async def test_lapsed_lease_is_a_loss(bench: Bench) -> None:
    """No sign of progress for a lease: queued again, losses +1, the worker fenced."""
    held = await bench.running()
    await bench.pass_time(bench.times.run_ms - 100)
    assert (await bench.sweep()).moved == 0
    await bench.pass_time(200)
    swept = await bench.sweep()

    assert (swept.state, swept.moved) == ("OK", 1)
    record = await bench.record(held.request_id)
    assert (record["state"], record["losses"], record["crashes"]) == ("QUEUED", "1", "0")
    assert await bench.emit(held) == "FENCED"
    assert await bench.inflight() == set()


async def test_emits_keep_the_lease(bench: Bench) -> None:
    """A request that makes progress is never swept, however long it runs."""
    held = await bench.running()
    for _ in range(10):
        await bench.pass_time(bench.times.run_ms * 2 // 3)
        assert (await bench.sweep()).moved == 0
        assert await bench.emit(held) == "OK"

    assert await bench.finish(held) == "OK"


async def test_lapsed_assignment_is_no_loss(bench: Bench) -> None:
    """A doorbell that nobody heard costs the request nothing."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())
    await bench.pass_time(bench.times.assign_ms + 1)
    assert (await bench.sweep()).moved == 1

    record = await bench.record(held.request_id)
    assert (record["state"], record["losses"], record["crashes"]) == ("QUEUED", "0", "0")
    assert await bench.start(held) is None


async def test_silent_board_loses_its_work_at_once(bench: Bench) -> None:
    """No waiting for leases: running work is a loss, assigned work is not, others are untouched."""
    ran = await bench.running()
    waited = await bench.assigned(await bench.submit())
    other = await bench.running(node="pi-b")
    await bench.silence("pi-a")
    assert (await bench.sweep()).moved == 2

    assert (await bench.record(ran.request_id))["losses"] == "1"
    assert (await bench.record(waited.request_id))["losses"] == "0"
    assert set(await bench.queue()) == {ran.request_id, waited.request_id}
    assert await bench.state(other.request_id) == "RUNNING"
    assert (await bench.sweep()).moved == 0
    events = await bench.store.xrange(keys.EVENTS)
    assert [f[b"node"] for _, f in events if f[b"status"] == b"lapsed"] == [b"pi-a"]


async def test_ten_losses_close(bench: Bench) -> None:
    """A request that is lost again and again ends failed, told with its history."""
    request_id = await bench.submit()
    for _ in range(bench.limits.losses):
        await bench.running(request_id)
        await bench.pass_time(bench.times.run_ms + 1)
        await bench.sweep()

    final = await bench.the_final(request_id)
    assert "its lease lapsed" in final["error"]
    assert len(await bench.dead()) == 1


async def test_sweep_works_in_batches(bench: Bench) -> None:
    """What is over the limit is left for the next call."""
    for _ in range(5):
        await bench.submit(a_request(deadline_ms=1000))
    await bench.pass_time(1001)
    moved = [
        (await bench.ledger.sweep(bench.epoch, await bench.now(), batch=2)).moved for _ in range(4)
    ]

    assert moved == [2, 2, 1, 0]


async def test_grace_begins_leases_and_lives_anew(bench: Bench) -> None:
    """After a stall of the store nobody is dead for what nobody could renew."""
    ran = await bench.running()
    waited = await bench.assigned(await bench.submit())
    await bench.board("pi-idle")
    for node in ("pi-a", "pi-idle"):
        await bench.silence(node)
    await bench.pass_time(bench.times.run_ms + 1)
    assert await bench.ledger.grace(bench.epoch)

    assert (await bench.sweep()).moved == 0
    assert 0 < await bench.store.pttl(keys.alive("pi-a")) <= 4000
    assert not await bench.store.exists(keys.alive("pi-idle"))  # holds nothing: may be silent
    assert await bench.finish(ran) == "OK"
    assert await bench.start(waited) is not None


async def test_grace_does_not_stretch_deadlines(bench: Bench) -> None:
    """A deadline is the caller's wish: it passes all the same."""
    held = await bench.running(deadline_ms=1000)
    await bench.pass_time(2000)
    await bench.ledger.grace(bench.epoch)
    await bench.sweep()

    assert (await bench.the_final(held.request_id))["status"] == "expired"


@pytest.mark.parametrize("where", ["queue", "due", "inflight"])
async def test_deleted_record_leaves_no_ghost(bench: Bench, where: str) -> None:
    """Somebody deletes a record by hand: nothing raises, no slot or place is lost for ever."""
    await bench.board("pi-a")
    request_id = await bench.submit(a_request(deadline_ms=1000))
    if where == "inflight":
        await bench.assigned(request_id)
    await bench.store.delete(keys.record(request_id))
    other = await bench.submit()
    if where == "queue":
        await bench.ledger.dispatch(request_id, "pi-a", bench.epoch, 1)
    else:
        await bench.pass_time(1001)
        await bench.sweep()

    assert await bench.queue() == [other]
    assert await bench.inflight() == set()
    if where != "queue":
        assert await bench.due(request_id) is None
    assert not await bench.store.exists(keys.record(request_id))
    assert (await bench.ledger.dispatch(other, "pi-a", bench.epoch, 1)).obstacle is None


@pytest.mark.parametrize(
    "epoch", ["", "x", b"\xff\xfe", "-1", "1e400", "9" * 30], ids=lambda e: repr(e)[:10]
)
async def test_a_spoilt_epoch_is_mended_by_the_next_claim(bench: Bench, epoch: str | bytes) -> None:
    """Nobody holds such a lease; the count goes on above what it was, and only one router plans."""
    await bench.store.hset(keys.PLANNER, "epoch", epoch)
    assert (await bench.ledger.sweep(bench.epoch, None)).state == "NOT_PLANNER"
    claim = await bench.ledger.planner("router-a")

    assert claim.held
    assert int(claim.epoch) > int(bench.epoch)
    assert not (await bench.ledger.planner("router-b")).held
    assert (await bench.ledger.sweep(claim.epoch, None)).state == "OK"


async def test_an_owner_without_an_epoch_holds_nothing(bench: Bench) -> None:
    """Nobody could ever name the epoch that was not there."""
    await bench.store.hdel(keys.PLANNER, "epoch")
    claim = await bench.ledger.planner("router-b")

    assert claim.held
    assert int(claim.epoch) > int(bench.epoch)


async def test_a_planner_key_of_another_type_is_mended_by_the_next_claim(bench: Bench) -> None:
    """No call of a planner fails because of it, for ever or at all."""
    await bench.store.delete(keys.PLANNER)
    await bench.store.set(keys.PLANNER, "x")
    assert (await bench.ledger.sweep(bench.epoch, None)).state == "NOT_PLANNER"
    claim = await bench.ledger.planner("router-a")

    assert claim.held
    assert int(claim.epoch) > int(bench.epoch)
    assert (await bench.ledger.sweep(claim.epoch, None)).state == "OK"
