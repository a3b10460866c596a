"""dispatch and start: from the queue to a board, and from its doorbell to running."""

from __future__ import annotations

import pytest

from contract_ledger.kit import Bench, a_request
from contract_ledger.test_admit import put_obstacle
from orion_contracts import keys
from orion_contracts.ledger import FailureKind, Obstacle


async def test_named_request_goes_to_the_named_board(bench: Bench) -> None:
    """Late binding: the policy names the request, wherever in the queue it stands."""
    await bench.board("pi-a")
    first, second = await bench.submit(), await bench.submit()
    given = await bench.ledger.dispatch(second, "pi-a", bench.epoch, 1)

    assert given.obstacle is None
    assert given.attempt == 1
    assert await bench.queue() == [first]
    assert await bench.inflight() == {second}
    record = await bench.record(second)
    assert (record["state"], record["node"], record["token"]) == ("ASSIGNED", "pi-a", given.token)
    held = await bench.doorbell(second, "pi-a")
    assert held.token == given.token


@pytest.mark.parametrize("obstacle", ["NODE_DEAD", "DRAINING", "FULL", "NOT_PLANNER", "BARRED"])
async def test_obstacle_changes_nothing(bench: Bench, obstacle: str) -> None:
    """Each obstacle is told, and the request stays exactly where it was."""
    epoch = await put_obstacle(bench, obstacle)
    request_id = await bench.submit()
    before = await bench.record(request_id)
    given = await bench.ledger.dispatch(request_id, "pi-a", epoch, 1)

    assert given.obstacle == Obstacle(obstacle)
    assert await bench.record(request_id) == before
    assert request_id in await bench.queue()


@pytest.mark.parametrize("state", ["unknown", "ASSIGNED", "RUNNING", "COMPLETED", "CANCELLED"])
async def test_what_is_not_queued_is_gone(bench: Bench, state: str) -> None:
    """GONE for anything that does not wait."""
    await bench.board("pi-a")
    request_id = await bench.submit()
    if state == "unknown":
        await bench.store.delete(keys.record(request_id))
    elif state == "CANCELLED":
        await bench.ledger.cancel(request_id)
    elif state == "ASSIGNED":
        await bench.assigned(request_id)
    else:
        held = await bench.running(request_id)
        if state == "COMPLETED":
            await bench.finish(held)
    given = await bench.ledger.dispatch(request_id, "pi-a", bench.epoch, 9)

    assert given.obstacle == Obstacle.GONE
    assert request_id not in await bench.queue()


async def test_overdue_request_is_not_dispatched(bench: Bench) -> None:
    """No board is bothered with what the sweep is about to close."""
    await bench.board("pi-a")
    request_id = await bench.submit(a_request(deadline_ms=1000))
    await bench.pass_time(1001)

    assert (await bench.ledger.dispatch(request_id, "pi-a", bench.epoch, 1)).obstacle == "GONE"
    assert await bench.state(request_id) == "QUEUED"
    assert await bench.queue() == [request_id]


async def test_repeated_dispatch_call_gets_the_same_answer(bench: Bench) -> None:
    """A lost reply: the client repeats the very call; one doorbell, one attempt."""
    await bench.board("pi-a")
    request_id = await bench.submit()
    args = (request_id, "pi-a", bench.epoch, 1, "nonce1", 10_000)
    first = await bench.call("dispatch", *args)

    assert await bench.call("dispatch", *args) == first
    assert await bench.store.xlen(keys.node_requests("pi-a")) == 1
    other = (request_id, "pi-a", bench.epoch, 9, "nonce2", 10_000)
    assert (await bench.call("dispatch", *other))[0] == b"GONE"


async def test_board_with_work_has_to_live_within_seconds(bench: Bench) -> None:
    """Dispatch shortens an idle board's sign of life to the busy time-to-live."""
    me = await bench.board("pi-a")
    await bench.call("beat", "pi-a", me, 15_000)
    assert await bench.store.pttl(keys.alive("pi-a")) > 4000
    await bench.assigned(await bench.submit())

    assert 0 < await bench.store.pttl(keys.alive("pi-a")) <= 4000


async def test_start_answers_run_with_everything(bench: Bench) -> None:
    """RUN: token, body, remaining and queue time; the doorbell is settled; the lease begins."""
    await bench.board("pi-a")
    request_id = await bench.submit(a_request(deadline_ms=60_000))
    held = await bench.assigned(request_id)
    await bench.pass_time(500)
    started = await bench.start(held)

    assert started is not None
    assert request_id.encode() in started.body
    assert started.token == f"{held.token}:pi-a#1"
    assert 0 < started.remaining_ms <= 59_500
    assert 500 <= started.queue_ms < 30_000
    assert started.attempt == 1
    assert await bench.store.xlen(keys.node_requests("pi-a")) == 0
    assert await bench.pending(keys.node_requests("pi-a"), keys.WORKERS_GROUP) == 0
    due, now = await bench.due(request_id), await bench.now()
    assert due is not None
    assert now < due <= now + bench.times.run_ms


async def test_start_again_by_the_same_worker_gives_the_same_answer(bench: Bench) -> None:
    """A lost reply does not cost the attempt."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())
    first, again = await bench.start(held), await bench.start(held)

    assert first is not None
    assert again is not None
    assert (again.token, again.body, again.attempt) == (first.token, first.body, first.attempt)


async def test_start_is_stale_for_anybody_else(bench: Bench) -> None:
    """Another token, incarnation, board or state: STALE, and the doorbell is gone all the same."""
    await bench.board("pi-a")
    await bench.board("pi-b")
    held = await bench.assigned(await bench.submit())
    wrong = bench.ledger.start
    assert await wrong("pi-a", held.entry, held.request_id, "1:nope:x", "pi-a#1") is None
    assert await wrong("pi-b", "1-1", held.request_id, held.token, "pi-b#1") is None
    assert await wrong("pi-a", "1-1", "no such id", held.token, "pi-a#1") is None
    assert await bench.store.xlen(keys.node_requests("pi-a")) == 0
    assert await bench.start(held) is not None
    assert await bench.start(held, "pi-a#2") is None

    token = (await bench.record(held.request_id))["token"]
    await bench.ledger.release(held.request_id, token, FailureKind.NONE, "x")
    assert await bench.start(held) is None
    assert await bench.state(held.request_id) == "QUEUED"


async def test_start_past_the_deadline_runs_nothing_and_closes_nothing(bench: Bench) -> None:
    """Only the sweep decides whether time passed or the clock was stepped."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit(a_request(deadline_ms=1000)))
    await bench.pass_time(1001)

    assert await bench.start(held) is None
    assert await bench.state(held.request_id) == "QUEUED"
    assert await bench.inflight() == set()
    await bench.sweep()
    assert (await bench.the_final(held.request_id))["status"] == "expired"


async def test_start_honours_a_cancel(bench: Bench) -> None:
    """Cancelled between dispatch and start: the board never runs it."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())

    assert await bench.ledger.cancel(held.request_id) == "CANCELLED"
    assert await bench.start(held) is None
    assert (await bench.the_final(held.request_id))["status"] == "cancelled"
    assert await bench.inflight() == set()
