"""cancel, attach and reject: what clients and planners do to a request from outside."""

from __future__ import annotations

import asyncio

import pytest

from contract_ledger.kit import MAILBOX, Bench, a_request, final_of
from orion_contracts import keys


async def test_cancel_of_a_waiting_request_closes_it(bench: Bench) -> None:
    """Queued or assigned: cancelled at once, one final."""
    await bench.board("pi-a")
    queued, assigned = await bench.submit(), await bench.submit()
    await bench.assigned(assigned)
    for request_id in (queued, assigned):
        assert await bench.ledger.cancel(request_id) == "CANCELLED"
        assert await bench.ledger.cancel(request_id) == "CANCELLED"
        assert (await bench.the_final(request_id))["error_code"] == "cancelled"

    assert await bench.queue() == []
    assert await bench.inflight() == set()
    assert await bench.store.get(keys.BYTES) == b"0"


async def test_cancel_of_running_work_waits_for_its_worker(bench: Bench) -> None:
    """PENDING; the worker's own final closes it."""
    held = await bench.running()
    assert await bench.ledger.cancel(held.request_id) == "PENDING"
    assert await bench.ledger.cancel(held.request_id) == "PENDING"
    assert await bench.finals(held.request_id) == []
    payload = final_of(held.request_id)
    await bench.ledger.finish(held.request_id, held.token, "cancelled", payload)

    await bench.the_final(held.request_id)
    assert await bench.ledger.cancel(held.request_id) == "CANCELLED"


async def test_cancel_of_work_whose_board_died(bench: Bench) -> None:
    """Nobody is left to learn of it: the sweep closes it as cancelled."""
    held = await bench.running()
    await bench.ledger.cancel(held.request_id)
    await bench.silence("pi-a")
    await bench.sweep()

    assert (await bench.the_final(held.request_id))["status"] == "cancelled"


async def test_cancel_of_work_whose_lease_lapsed(bench: Bench) -> None:
    """A hung engine never emits: its lapse ends the cancelled request."""
    held = await bench.running()
    await bench.ledger.cancel(held.request_id)
    await bench.pass_time(bench.times.run_ms + 1)
    await bench.sweep()

    assert (await bench.the_final(held.request_id))["status"] == "cancelled"


async def test_late_cancel_tells_how_it_ended(bench: Bench) -> None:
    """After the final: the terminal state; for nobody: UNKNOWN, and nothing is created."""
    held = await bench.running()
    await bench.finish(held)

    assert await bench.ledger.cancel(held.request_id) == "COMPLETED"
    assert await bench.ledger.cancel("unknown") == "UNKNOWN"
    assert not await bench.store.exists(keys.record("unknown"))
    await bench.the_final(held.request_id)


async def test_cancel_racing_finish_leaves_one_final(bench: Bench) -> None:
    """Whoever comes first: exactly one final."""
    for turn in range(20):
        held = await bench.running()
        calls = [bench.finish(held), bench.ledger.cancel(held.request_id)]
        await asyncio.gather(*(calls if turn % 2 else reversed(calls)))
        assert (await bench.the_final(held.request_id)).get("status") is None
        assert await bench.state(held.request_id) == "COMPLETED"


async def test_attach_moves_the_mailbox(bench: Bench) -> None:
    """From then on chunks go to the new router; the answer tells state and attempt."""
    other = keys.mailbox("router-b")
    for mailbox in (MAILBOX, other):
        await bench.store.xgroup_create(mailbox, "g", mkstream=True)
    held = await bench.running(await bench.submit(a_request(stream=True), mailbox=MAILBOX))
    await bench.emit(held, 1, b"a")
    attached = await bench.ledger.attach(held.request_id, other)
    await bench.emit(held, 2, b"b")
    await bench.finish(held)

    assert attached == ("RUNNING", 1)
    assert attached.known
    assert [k for _, k, _ in await bench.entries(MAILBOX)] == ["chunk"]
    assert [k for _, k, _ in await bench.entries(other)] == ["chunk", "final"]


async def test_attach_to_what_ended_or_never_was(bench: Bench) -> None:
    """The final's stream holds the answer; an unknown id gets no record."""
    held = await bench.running()
    await bench.finish(held)

    assert await bench.ledger.attach(held.request_id, MAILBOX) == ("COMPLETED", 1)
    assert "mailbox" not in await bench.record(held.request_id)
    assert not (await bench.ledger.attach("unknown", MAILBOX)).known
    assert not await bench.store.exists(keys.record("unknown"))


async def test_planner_rejects_what_waits(bench: Bench) -> None:
    """One final with the planner's own payload; twice, or under an old epoch: no."""
    request_id = await bench.submit()
    payload = final_of(request_id, "nobody has it")
    assert not await bench.ledger.reject(request_id, "0", "failed", payload)
    assert await bench.ledger.reject(request_id, bench.epoch, "failed", payload)
    assert not await bench.ledger.reject(request_id, bench.epoch, "failed", payload)

    assert (await bench.the_final(request_id))["response"] == "nobody has it"
    assert await bench.state(request_id) == "FAILED"


@pytest.mark.parametrize("state", ["ASSIGNED", "RUNNING", "unknown"])
async def test_planner_rejects_nothing_else(bench: Bench, state: str) -> None:
    """What a board holds is not the planner's to close."""
    await bench.board("pi-a")
    request_id = await bench.submit()
    if state == "ASSIGNED":
        await bench.assigned(request_id)
    elif state == "RUNNING":
        await bench.running(request_id)
    else:
        request_id = "unknown"

    assert not await bench.ledger.reject(request_id, bench.epoch, "failed", b"{}")
    assert await bench.finals(request_id) == []
