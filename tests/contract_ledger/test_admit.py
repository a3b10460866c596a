"""admit, take and refuse: the ways into the ledger."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from contract_ledger.kit import MAILBOX, STAMP, Bench, a_request
from orion_contracts import keys
from orion_contracts.entries import Refusal, read_entry
from orion_contracts.ledger import Obstacle


async def test_new_request_is_queued_with_its_facts(bench: Bench) -> None:
    """NEW: record, queue and due; meta kept apart from the body; planners hear of it."""
    request = a_request(deadline_ms=60_000)
    before = await bench.now()
    admission = await bench.admit(request, mailbox=MAILBOX)

    assert admission == ("NEW", "no_node", "", 0)
    assert admission.accepted
    record = await bench.record(request.request_id)
    assert record["state"] == "QUEUED"
    assert record["meta"] == "{}"
    assert request.request_id in record["body"]
    assert (record["attempt"], record["crashes"], record["losses"]) == ("0", "0", "0")
    assert before <= int(record["accepted"]) <= before + 5000
    assert int(record["deadline"]) - int(record["accepted"]) == 60_000
    assert await bench.queue() == [request.request_id]
    assert await bench.due(request.request_id) == int(record["deadline"])
    events: Any = await bench.store.xrange(keys.EVENTS)
    assert events[-1][1][b"kind"] == b"queued"
    assert await bench.store.ttl(keys.record(request.request_id)) == -1


async def test_no_deadline_means_the_backstop(bench: Bench) -> None:
    """Nothing waits for ever: without a deadline the backstop holds."""
    record = await bench.record(await bench.submit())

    assert int(record["deadline"]) - int(record["accepted"]) == bench.times.backstop_ms


async def test_admission_with_a_board_is_one_step(bench: Bench) -> None:
    """ASSIGNED: a free slot takes the request in the same call, with a doorbell and no queueing."""
    await bench.board("pi-a")
    request = a_request()
    admission = await bench.admit(request, node="pi-a", epoch=bench.epoch, depth=1)

    assert (admission.state, admission.detail, admission.attempt) == ("ASSIGNED", "pi-a", 1)
    assert admission.accepted
    assert await bench.queue() == []
    assert await bench.inflight() == {request.request_id}
    held = await bench.doorbell(request.request_id, "pi-a")
    assert (await bench.record(request.request_id))["token"] == held.token
    now, due = await bench.now(), await bench.due(request.request_id)
    assert due is not None
    assert now < due <= now + bench.times.assign_ms


@pytest.mark.parametrize("obstacle", ["NODE_DEAD", "DRAINING", "FULL", "NOT_PLANNER", "BARRED"])
async def test_admission_falls_back_to_the_queue(bench: Bench, obstacle: str) -> None:
    """With any obstacle at the board the request is NEW and queued, and the reply says why."""
    epoch = await put_obstacle(bench, obstacle)
    request = a_request()
    admission = await bench.admit(request, node="pi-a", epoch=epoch, depth=1)

    assert (admission.state, admission.detail) == ("NEW", obstacle)
    assert request.request_id in await bench.queue()
    assert request.request_id not in await bench.inflight()


async def put_obstacle(bench: Bench, obstacle: str) -> str:
    """Make the board pi-a unfit in one way; returns the epoch to use."""
    await bench.board("pi-a")
    if obstacle == "NODE_DEAD":
        await bench.silence("pi-a")
    elif obstacle == "DRAINING":
        await bench.store.set(keys.drain("pi-a"), "1")
    elif obstacle == "FULL":
        await bench.assigned(await bench.submit())
    elif obstacle == "BARRED":  # a producer used up the stream's ids
        last = f"{2**64 - 1}-{2**64 - 1}"
        await bench.store.xadd(keys.node_requests("pi-a"), {"x": "y"}, id=last)
    return "0" if obstacle == "NOT_PLANNER" else bench.epoch


async def test_same_request_again_is_dup(bench: Bench) -> None:
    """DUP: a repeated admission changes nothing and tells state, fingerprint and attempt."""
    request = a_request()
    await bench.submit(request, mark="m1")
    record = await bench.record(request.request_id)
    again = await bench.admit(request, mark="m1")

    assert again == ("DUP", "QUEUED", "m1", 0)
    assert not again.accepted
    assert await bench.record(request.request_id) == record
    assert await bench.store.zcard(keys.QUEUE) == 1
    assert await bench.dead() == []


async def test_dup_tells_the_terminal_state(bench: Bench) -> None:
    """DUP of a finished request: its state, so that the caller attaches to the kept final."""
    held = await bench.running()
    await bench.finish(held)

    assert (await bench.admit(a_request(held.request_id)))[:2] == ("DUP", "COMPLETED")
    await bench.the_final(held.request_id)


async def test_duplicate_entry_with_other_content_leaves_a_dead_letter(bench: Bench) -> None:
    """An id reused with other content by a producer: settled, dead letter, first one untouched."""
    request = a_request()
    await bench.submit(request, mark="m1")
    entry = await bench.entry()
    admission = await bench.admit(request, mark="m2", source=entry)

    assert admission[:3] == ("DUP", "QUEUED", "m1")
    (letter,) = await bench.dead()
    assert letter["id"] == request.request_id
    assert letter["why"].startswith("duplicate_id")
    assert await bench.store.xlen(keys.REQUESTS) == 0
    await bench.admit(request, mark="m2", source=entry)  # the reply was lost
    assert len(await bench.dead()) == 1


async def test_duplicate_entry_with_the_same_content_is_silent(bench: Bench) -> None:
    """A producer that repeats its XADD gets one answer and leaves no dead letter."""
    request = a_request()
    first, second = await bench.entry(), await bench.entry()
    await bench.admit(request, mark="m1", source=first)
    assert (await bench.admit(request, mark="m1", source=second)).state == "DUP"

    assert await bench.dead() == []
    assert await bench.store.xlen(keys.REQUESTS) == 0
    assert await bench.pending(keys.REQUESTS, keys.ROUTER_GROUP) == 0


async def test_entry_is_settled_in_the_same_step(bench: Bench) -> None:
    """Acknowledged and deleted exactly when the record exists."""
    entry = await bench.entry()
    assert await bench.pending(keys.REQUESTS, keys.ROUTER_GROUP) == 1
    assert (await bench.admit(a_request(), source=entry)).state == "NEW"

    assert await bench.pending(keys.REQUESTS, keys.ROUTER_GROUP) == 0
    assert await bench.store.xlen(keys.REQUESTS) == 0


async def test_full_queue_refuses_without_a_trace(bench: Bench) -> None:
    """REJECTED/refuse: the gateway's caller gets the error over HTTP, nothing is stored."""
    await bench.submit()
    request = a_request()
    admission = await bench.admit(request, max_requests=1)

    assert admission[:2] == ("REJECTED", "queue_full")
    assert not admission.accepted
    assert await bench.record(request.request_id) == {}
    assert await bench.finals(request.request_id) == []


async def test_full_queue_answers_a_producer_with_a_final(bench: Bench) -> None:
    """REJECTED/final: a producer's entry gets its one final, and the entry is settled."""
    await bench.submit()
    request, entry = a_request(callback="my:replies"), await bench.entry()
    admission = await bench.admit(request, max_requests=1, source=entry)

    assert admission[:2] == ("REJECTED", "queue_full")
    final = await bench.the_final(request.request_id)
    assert (final["status"], final["error_code"]) == ("rejected", "queue_full")
    assert len(await bench.payloads("my:replies", "final")) == 1
    assert await bench.state(request.request_id) == "REJECTED"
    assert await bench.store.xlen(keys.REQUESTS) == 0
    assert await bench.store.zcard(keys.QUEUE) == 1


async def test_byte_limit_counts_every_live_body(bench: Bench) -> None:
    """queue_bytes: bodies queued and running count, closed ones no longer."""
    held = await bench.running()
    size = int((await bench.record(held.request_id))["bytes"])
    request = a_request()
    assert (await bench.admit(request, max_bytes=size + 10))[:2] == ("REJECTED", "queue_bytes")
    await bench.finish(held)

    assert await bench.store.get(keys.BYTES) == b"0"
    assert (await bench.admit(request, max_bytes=size + 10)).state == "NEW"


async def test_take_runs_a_direct_entry_at_once(bench: Bench) -> None:
    """A request on a board's own stream: admitted, pinned, running and settled in one step."""
    me = await bench.board("pi-a")
    request = a_request()
    entry = await bench.entry(stream=keys.node_requests("pi-a"))
    started = await bench.ledger.take(request, b"body", b"{}", entry, "pi-a", me)

    assert started is not None
    assert started.body == b"body"
    assert started.attempt == 1
    assert await bench.state(request.request_id) == "RUNNING"
    assert await bench.inflight() == {request.request_id}
    assert await bench.store.xlen(keys.node_requests("pi-a")) == 0
    final = b'{"request_id":"x"}'
    done = await bench.ledger.finish(request.request_id, started.token, "completed", final)
    assert done == "OK"


async def test_take_again_with_the_same_call_gives_the_same_answer(bench: Bench) -> None:
    """A lost reply: the client repeats the very same call and is told to run, not DUP."""
    me = await bench.board("pi-a")
    request = a_request()
    entry = await bench.entry(stream=keys.node_requests("pi-a"))
    args = take_args(request.request_id, entry, me, nonce="abc")
    first = await bench.call("take", *args)

    assert first[0] == b"RUN"
    assert (await bench.call("take", *args))[:2] == first[:2]
    other = take_args(request.request_id, entry, me, nonce="xyz")
    assert await bench.call("take", *other) == [b"DUP", b"RUNNING"]


def take_args(request_id: str, entry: tuple[str, str, str], me: str, nonce: str) -> list[Any]:
    """The arguments of `take` as the wrapper sends them."""
    place = [request_id, keys.responses(request_id), "", 60_000, b"body", b"{}", 0, 0, "m", "f"]
    return [*place, 1, 1, "final", STAMP, *entry, "pi-a", me, nonce, 15_000]


async def test_take_of_a_known_id_with_other_content_is_buried(bench: Bench) -> None:
    """The same rules for ids on a board's stream as on the intake."""
    me = await bench.board("pi-a")
    request = a_request()
    await bench.submit(request, mark="other")
    entry = await bench.entry(stream=keys.node_requests("pi-a"))

    assert await bench.ledger.take(request, b"body", b"{}", entry, "pi-a", me) is None
    assert len(await bench.dead()) == 1
    assert await bench.state(request.request_id) == "QUEUED"


async def test_refused_entry_gets_answer_dead_letter_and_is_settled(bench: Bench) -> None:
    """An invalid entry that names a callback: one error answer, one dead letter, even repeated."""
    entry = await bench.entry()
    for _ in range(2):  # the reply was lost once
        await bench.ledger.refuse(entry, "", "my:replies", b'{"error":"no"}', "bad", b"sample")

    assert await bench.payloads("my:replies", "final") == ['{"error":"no"}']
    (letter,) = await bench.dead()
    assert (letter["why"], letter["sample"]) == ("bad", "sample")
    assert await bench.store.xlen(keys.REQUESTS) == 0


async def test_a_dead_letter_is_text_whatever_the_entry_held(bench: Bench) -> None:
    """Readers that decode it must not stumble over the one who wrote it."""
    await bench.ledger.refuse(await bench.entry(), "", "", b"", "\ud800 bad", b"\xff" * 600)
    (letter,) = await bench.dead()
    assert letter["why"] == "? bad"
    assert 0 < len(letter["sample"].encode()) <= 512


@pytest.mark.parametrize(
    "when",
    ["2026-01-01T00:00:00.000Z", "2028-02-29T23:59:59.999Z", "2100-03-01T12:00:00.500Z",
     "2026-12-31T08:07:06.050Z"],
)  # fmt: skip
async def test_a_dead_letter_says_when_and_by_whom(bench: Bench, when: str) -> None:
    """As every message does. The time is the ledger's, in words that it finds by itself."""
    await bench.pass_time(
        round(datetime.fromisoformat(when).timestamp() * 1000) - await bench.now()
    )
    await bench.ledger.refuse(await bench.entry(), "", "", b"", "bad", b"sample")

    (letter,) = await bench.dead()
    assert (letter["version"], letter["source"]) == ("1.0", "orion-inference-ledger")
    late = datetime.fromisoformat(letter["timestamp"]) - datetime.fromisoformat(when)
    assert timedelta() <= late < timedelta(seconds=10)


async def test_corrected_request_under_a_refused_id_streams_as_usual(bench: Bench) -> None:
    """A producer that mends its entry and sends it again under the same id loses no chunk."""
    request = a_request(stream=True)
    own = keys.responses(request.request_id)
    entry = await bench.entry()
    await bench.ledger.refuse(entry, request.request_id, own, b"{}", "bad", b"")
    held = await bench.running(await bench.submit(request))
    assert await bench.store.ttl(own) == -1
    await bench.emit(held, 1, b"c1")
    await bench.finish(held)

    assert [(e, k) for e, k, _ in await bench.entries(own)] == [
        ("0-1", "final"),
        ("1-1", "chunk"),
        ("1-999999999", "final"),
    ]


async def test_refusal_never_answers_for_a_known_id(bench: Bench) -> None:
    """An invalid entry under a live id leaves that request's one final alone."""
    request_id = await bench.submit()
    own = keys.responses(request_id)
    await bench.ledger.refuse(await bench.entry(), request_id, own, b"{}", "bad", b"")

    assert await bench.finals(request_id) == []
    assert len(await bench.dead()) == 1


@pytest.mark.parametrize(
    "callback",
    [keys.QUEUE, keys.EVENTS, keys.node_requests("pi-a"), keys.responses(a_request().request_id)],
)
async def test_refusal_writes_no_reserved_key(bench: Bench, callback: str) -> None:
    """Not even an error answer goes to our keys or to the stream of another request."""
    await bench.ledger.refuse(await bench.entry(), "", callback, b"{}", "bad", b"")

    assert not await bench.store.exists(callback) or callback == keys.EVENTS
    assert len(await bench.dead()) == 1
    if callback == keys.EVENTS:
        assert all(b"payload" not in f for _, f in await bench.store.xrange(callback))


async def test_obstacles_are_the_wrappers_words() -> None:
    """Every obstacle has its member: none raises in the planner."""
    names = {"NOT_PLANNER", "NODE_DEAD", "DRAINING", "FULL", "GONE", "BARRED"}

    assert {str(o) for o in Obstacle} == names


async def test_a_callback_of_another_request_is_answered_on_its_own_stream(bench: Bench) -> None:
    """The contract's word: an error response where the id is usable, though the callback is not."""
    request = a_request(callback=keys.responses(str(uuid.uuid4())))
    refusal = read_entry({b"payload": json.dumps(request.to_wire()).encode()}, "test")
    assert isinstance(refusal, Refusal)
    why, request_id, callback, final, sample = refusal
    entry = await bench.entry()
    await bench.ledger.refuse(entry, request_id, callback, final, why, sample)

    assert (await bench.the_final(request.request_id))["error_code"] == "invalid_request"
    assert await bench.finals(request.callback.rpartition(":")[2]) == []
