"""finish: the final, exactly once, with the last chunk in the same step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contract_ledger.kit import MAILBOX, Bench, a_request, final_of
from orion_contracts import keys
from orion_contracts.facts import MOST_BYTES, Facts
from orion_contracts.ledger import Closed, FailureKind


async def test_finish_closes_everything(bench: Bench) -> None:
    """OK: final published; no body, queue place, lease, or slot is left behind."""
    held = await bench.running()
    assert await bench.finish(held, "hello") == Closed.OK

    assert (await bench.the_final(held.request_id))["response"] == "hello"
    record = await bench.record(held.request_id)
    assert record["state"] == "COMPLETED"
    assert not {"body", "meta", "token", "mailbox"} & set(record)
    assert await bench.due(held.request_id) is None
    assert await bench.queue() == []
    assert await bench.inflight() == set()
    assert await bench.store.get(keys.BYTES) == b"0"


async def test_finish_again_is_already(bench: Bench) -> None:
    """ALREADY: the reply was lost; nothing is published a second time."""
    held = await bench.running(callback="my:replies")
    assert await bench.finish(held) == Closed.OK

    assert await bench.finish(held) == Closed.ALREADY
    await bench.the_final(held.request_id)
    assert len(await bench.payloads("my:replies", "final")) == 1


async def test_two_finishes_at_once_leave_one_final(bench: Bench) -> None:
    """Whatever the order: one OK, one ALREADY, one final."""
    held = await bench.running()
    answers = await asyncio.gather(bench.finish(held, "a"), bench.finish(held, "b"))

    assert sorted(answers) == [Closed.ALREADY, Closed.OK]
    await bench.the_final(held.request_id)


async def test_zombies_finish_is_fenced_while_another_runs(bench: Bench) -> None:
    """FENCED: an earlier attempt cannot answer for the running one."""
    zombie = await bench.running()
    await bench.release(zombie, FailureKind.LOSS)
    assert await bench.finish(zombie, "zombie") == Closed.FENCED
    second = await bench.running(zombie.request_id)
    assert await bench.finish(zombie, "zombie") == Closed.FENCED
    assert await bench.finish(second, "second") == Closed.OK

    assert (await bench.the_final(zombie.request_id))["response"] == "second"


async def test_zombies_finish_after_the_end_is_dup(bench: Bench) -> None:
    """DUP: closed by somebody else; the late answer is dropped."""
    zombie = await bench.running()
    await bench.release(zombie, FailureKind.LOSS)
    await bench.finish(await bench.running(zombie.request_id), "second")

    assert await bench.finish(zombie, "zombie") == Closed.DUP
    assert (await bench.the_final(zombie.request_id))["response"] == "second"


async def test_finish_without_start_is_fenced(bench: Bench) -> None:
    """An assignment is no right to answer."""
    await bench.board("pi-a")
    held = await bench.assigned(await bench.submit())

    assert await bench.finish(held) == Closed.FENCED
    assert await bench.finals(held.request_id) == []


async def test_unknown_request_gets_no_final(bench: Bench) -> None:
    """UNKNOWN: after a rolled-back history the worker drops its result."""
    answer = await bench.ledger.finish("unknown", "1:x", "completed", b"{}")

    assert answer == Closed.UNKNOWN
    assert not await bench.store.exists(keys.responses("unknown"))
    assert not await bench.store.exists(keys.record("unknown"))


@pytest.mark.parametrize("callback", ["", "my:replies"])
async def test_last_chunk_and_final_come_in_one_step(bench: Bench, callback: str) -> None:
    """Last chunk before the final, on the durable stream and in the mailbox; not twice."""
    await bench.store.xgroup_create(MAILBOX, "g", mkstream=True)
    request = a_request(stream=True, callback=callback)
    held = await bench.running(await bench.submit(request, mailbox=MAILBOX))
    await bench.emit(held, 1, b"c1")
    for expected in (Closed.OK, Closed.ALREADY):
        assert await bench.finish(held, "all", seq=2, chunk=b"c2") == expected

    stream = callback or keys.responses(held.request_id)
    for place in (stream, MAILBOX):
        assert [k for _, k, _ in await bench.entries(place)] == ["chunk", "chunk", "final"]
        assert await bench.payloads(place, "chunk") == ["c1", "c2"]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "rejected"])
async def test_a_worker_may_close_in_every_terminal_state(bench: Bench, status: str) -> None:
    """The record ends in the state that the final names."""
    held = await bench.running()
    payload = final_of(held.request_id)

    assert await bench.ledger.finish(held.request_id, held.token, status, payload) == Closed.OK
    assert await bench.state(held.request_id) == status.upper()


async def test_dead_copies_what_failed_for_good(bench: Bench) -> None:
    """`dead` also buries: one letter with id, reason, model and history."""
    held = await bench.running()
    await bench.finish(held, dead="engine_rejected: bad option")
    await bench.finish(held, dead="engine_rejected: bad option")

    (letter,) = await bench.dead()
    assert letter["id"] == held.request_id
    assert letter["why"].startswith("engine_rejected")
    assert letter["model"] == "smollm2:135m"


async def bells(bench: Bench, request_id: str) -> list[tuple[bytes, bytes | None]]:
    """What the doorbell said of this request's end: (status, facts)."""
    rung: Any = await bench.store.xrange(keys.EVENTS)
    mine = [f for _, f in rung if (f[b"id"], f[b"kind"]) == (request_id.encode(), b"done")]
    return [(f[b"status"], f.get(b"facts")) for f in mine]


async def test_the_doorbell_tells_what_the_run_measured(bench: Bench) -> None:
    """Facts travel with the one `done`, also where the reply was lost and the call repeated."""
    held, facts = await bench.running(), Facts(model="m", output_tokens=7).to_bytes()
    assert await bench.finish(held, facts=facts) == Closed.OK
    assert await bench.finish(held, facts=facts) == Closed.ALREADY

    assert await bells(bench, held.request_id) == [(b"COMPLETED", facts)]


async def test_workers_without_facts_are_served_as_before(bench: Bench) -> None:
    """A worker of an older version sends seven arguments; a `done` without facts has no field."""
    held = await bench.running()
    final = final_of(held.request_id)
    told = await bench.call("finish", held.request_id, held.token, "COMPLETED", final, 0, "", "")

    assert told == b"OK"
    assert await bells(bench, held.request_id) == [(b"COMPLETED", None)]


async def test_facts_beyond_their_bound_stay_at_home(bench: Bench) -> None:
    """The doorbell stays small, and the final is delivered all the same."""
    held = await bench.running()
    assert await bench.finish(held, facts=b"x" * (MOST_BYTES + 1)) == Closed.OK

    assert await bells(bench, held.request_id) == [(b"COMPLETED", None)]
    await bench.the_final(held.request_id)


@pytest.mark.parametrize("kind", ["string", "exhausted"])
async def test_unusable_callback_still_leaves_exactly_one_final(bench: Bench, kind: str) -> None:
    """A callback that is no stream, or takes no entry: closed, final in our stream, dead letter."""
    if kind == "string":
        await bench.store.set("my:callback", "x")
    else:
        await bench.store.xadd("my:callback", {"x": "y"}, id=f"{2**64 - 1}-{2**64 - 1}")
    held = await bench.running(callback="my:callback", stream=True)
    assert await bench.finish(held, seq=1, chunk=b"c") == Closed.OK
    assert await bench.finish(held) == Closed.ALREADY

    await bench.the_final(held.request_id)
    (letter,) = await bench.dead()
    assert letter["why"].startswith("undeliverable")


@pytest.mark.parametrize("kind", ["string", "exhausted", "foreign"])
@pytest.mark.parametrize("callback", ["", "my:replies"])
async def test_spoilt_answer_stream_still_leaves_exactly_one_final(
    bench: Bench, kind: str, callback: str
) -> None:
    """An outsider wrote to the stream that we name: the final is there all the same."""
    request = a_request(callback=callback)
    own = keys.responses(request.request_id)
    if kind == "string":
        await bench.store.set(own, "x")
    else:
        high = f"{2**64 - 1}-{2**64 - 1}" if kind == "exhausted" else "*"
        await bench.store.xadd(own, {"type": "forged", "payload": "x"}, id=high)
    held = await bench.running(await bench.submit(request))
    assert await bench.finish(held, "text") == Closed.OK

    assert (await bench.the_final(held.request_id))["response"] == "text"
    if callback:
        assert len(await bench.payloads(callback, "final")) == 1
    assert await bench.state(held.request_id) == "COMPLETED"
    assert await bench.inflight() == set()
