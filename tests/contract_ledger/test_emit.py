"""emit: chunks, leases, and how a worker learns that it lost the race."""

from __future__ import annotations

from typing import Any, cast

import pytest

from contract_ledger.kit import MAILBOX, Bench, Held, a_request
from orion_contracts import keys
from orion_contracts.ledger import FailureKind


async def streaming(bench: Bench, **fields: Any) -> Held:
    """A running request that asked to stream."""
    return await bench.running(stream=True, **fields)


async def test_chunks_of_our_own_stream_carry_attempt_and_seq_as_ids(bench: Bench) -> None:
    """Stream id attempt-seq: a reader resumes by it and orders by it."""
    held = await streaming(bench)
    for seq in (1, 2, 3):
        assert await bench.emit(held, seq, f"c{seq}".encode()) == "OK"
    await bench.finish(held, "text")

    found = await bench.entries(keys.responses(held.request_id))
    assert [e for e, _, _ in found] == ["1-1", "1-2", "1-3", "1-999999999"]
    assert [k for _, k, _ in found] == ["chunk"] * 3 + ["final"]


async def test_chunks_of_a_second_attempt_follow_the_first(bench: Bench) -> None:
    """A rerun starts anew at seq 1 under the higher attempt."""
    held = await streaming(bench)
    await bench.emit(held, 1, b"a")
    await bench.emit(held, 2, b"b")
    await bench.release(held, FailureKind.LOSS)
    again = await bench.running(held.request_id)
    await bench.emit(again, 1, b"a")
    await bench.finish(again)

    found = await bench.entries(keys.responses(held.request_id))
    assert [e for e, _, _ in found] == ["1-1", "1-2", "2-1", "2-999999999"]


@pytest.mark.parametrize("callback", ["", "my:replies"])
async def test_a_chunk_is_published_once(bench: Bench, callback: str) -> None:
    """The same (attempt, seq) again, or a late copy of an older one, is not published twice."""
    await bench.store.xgroup_create(MAILBOX, "g", mkstream=True)
    held = await bench.running(await bench.submit(
        a_request(stream=True, callback=callback), mailbox=MAILBOX))  # fmt: skip
    for seq, payload in ((1, b"a"), (1, b"a"), (2, b"b"), (1, b"a"), (2, b"b"), (3, b"c")):
        assert await bench.emit(held, seq, payload) == "OK"

    stream = callback or keys.responses(held.request_id)
    assert await bench.payloads(stream, "chunk") == ["a", "b", "c"]
    assert await bench.payloads(MAILBOX, "chunk") == ["a", "b", "c"]


async def test_no_chunks_unless_asked(bench: Bench) -> None:
    """A request without `stream` gets its final only."""
    held = await bench.running()
    assert await bench.emit(held, 1, b"a") == "OK"
    await bench.finish(held)

    assert await bench.payloads(keys.responses(held.request_id), "chunk") == []


async def test_clients_stream_is_neither_trimmed_nor_expired(bench: Bench) -> None:
    """What a client made stays as it made it, its group and older entries included."""
    await bench.store.xgroup_create("my:replies", "theirs", mkstream=True)
    for n in range(60):
        await bench.store.xadd("my:replies", {"type": "old", "payload": str(n)})
    held = await streaming(bench, callback="my:replies")
    for seq in range(1, 40):
        await bench.emit(held, seq, b"x")
    await bench.finish(held)

    assert await bench.store.ttl("my:replies") == -1
    assert await bench.store.xlen("my:replies") == 60 + 39 + 1
    groups: Any = await bench.store.xinfo_groups("my:replies")
    assert [g["name"] for g in groups] == [b"theirs"]
    assert len(await bench.read("my:replies", "theirs")) == 100


async def test_own_stream_lives_an_hour_after_the_final_and_the_record_a_day(bench: Bench) -> None:
    """Finals are kept 1 h, the memory of an id 24 h, live requests without limit."""
    held = await streaming(bench)
    own = keys.responses(held.request_id)
    await bench.emit(held, 1, b"x")
    assert await bench.store.ttl(own) == -1
    assert await bench.store.ttl(keys.record(held.request_id)) == -1
    await bench.finish(held)

    assert 3590 <= await bench.store.ttl(own) <= 3600
    assert 86_390 <= await bench.store.ttl(keys.record(held.request_id)) <= 86_400


async def test_mailbox_is_never_created(bench: Bench) -> None:
    """The mailbox of a router that is gone does not come back to life."""
    request = a_request(stream=True)
    held = await bench.running(await bench.submit(request, mailbox=MAILBOX))
    await bench.emit(held, 1, b"x")
    await bench.finish(held)

    assert not await bench.store.exists(MAILBOX)
    assert await bench.payloads(keys.responses(held.request_id), "chunk") == ["x"]


async def test_mailbox_gets_chunks_and_the_final_with_the_id(bench: Bench) -> None:
    """A router reads all its requests in one stream."""
    await bench.store.xgroup_create(MAILBOX, "g", mkstream=True)
    request = a_request(stream=True)
    held = await bench.running(await bench.submit(request, mailbox=MAILBOX))
    await bench.emit(held, 1, b"x")
    await bench.finish(held)

    entries: Any = await bench.store.xrange(MAILBOX)
    assert [f[b"type"] for _, f in entries] == [b"chunk", b"final"]
    assert {f[b"id"] for _, f in entries} == {held.request_id.encode()}


async def test_cancel_is_learnt_at_the_next_emit(bench: Bench) -> None:
    """CANCEL: the chunk is not published any more, the lease not renewed."""
    held = await streaming(bench)
    await bench.emit(held, 1, b"a")
    assert await bench.ledger.cancel(held.request_id) == "PENDING"

    assert await bench.emit(held, 2, b"b") == "CANCEL"
    assert await bench.emit(held) == "CANCEL"
    assert await bench.payloads(keys.responses(held.request_id), "chunk") == ["a"]


async def test_zombie_is_fenced(bench: Bench) -> None:
    """A token of an earlier attempt publishes nothing, renews nothing."""
    zombie = await streaming(bench)
    await bench.release(zombie, FailureKind.LOSS)
    assert await bench.emit(zombie, 1, b"z") == "FENCED"
    await bench.running(zombie.request_id)
    due = await bench.due(zombie.request_id)
    await bench.pass_time(10_000)

    assert await bench.emit(zombie, 1, b"z") == "FENCED"
    assert await bench.due(zombie.request_id) == due
    assert await bench.payloads(keys.responses(zombie.request_id), "chunk") == []


async def test_emit_after_the_end_or_for_nobody_is_fenced(bench: Bench) -> None:
    """Closed and unknown requests take no chunks."""
    held = await streaming(bench)
    await bench.finish(held)

    assert await bench.emit(held, 1, b"x") == "FENCED"
    assert await bench.ledger.emit("unknown", "1:x:y", 1, b"x") == "FENCED"
    assert await bench.payloads(keys.responses(held.request_id), "chunk") == []


async def test_lease_is_renewed_when_a_third_is_used(bench: Bench) -> None:
    """Before that a heartbeat only reads; after it the lease is whole again."""
    held = await bench.running()
    first = await bench.due(held.request_id)
    await bench.pass_time(bench.times.run_ms // 3 - 1000)
    assert await bench.emit(held) == "OK"
    assert await bench.due(held.request_id) == first
    await bench.pass_time(1500)
    assert await bench.emit(held) == "OK"

    renewed, now = await bench.due(held.request_id), await bench.now()
    assert renewed is not None
    assert now + bench.times.run_ms - 1000 < renewed <= now + bench.times.run_ms


async def test_lease_never_passes_the_deadline(bench: Bench) -> None:
    """Renewal is bounded: the deadline comes due in time."""
    held = await bench.running(deadline_ms=20_000)
    await bench.pass_time(10_000)
    await bench.emit(held)

    assert await bench.due(held.request_id) == int(
        (await bench.record(held.request_id))["deadline"]
    )


async def test_heartbeat_writes_nothing_while_the_lease_is_fresh(bench: Bench) -> None:
    """It costs the disk nothing: the store counts no change (real servers)."""
    held = await bench.running(deadline_ms=12_000)  # also where the deadline caps the lease
    if "aof_current_size" not in (info := await dirty(bench)):
        await bench.emit(held)
        return  # fakeredis keeps no count
    for _ in range(5):
        assert await bench.emit(held) == "OK"

    assert (await dirty(bench)) == info


async def dirty(bench: Bench) -> dict[str, Any]:
    """What tells that the store wrote: its changes and the size of its log."""
    try:
        info = await bench.store.info("persistence")
    except Exception:
        return {}
    wanted = ("rdb_changes_since_last_save", "aof_current_size")
    return {k: info[k] for k in wanted if k in info}


async def test_foreign_entry_in_our_stream_stops_no_chunk(bench: Bench) -> None:
    """An outsider who writes to an answer's stream first cannot silence it."""
    request = a_request(stream=True)
    own = keys.responses(request.request_id)
    await bench.store.xadd(own, {"type": "forged", "payload": "x"})
    await bench.store.xgroup_create(MAILBOX, "g", mkstream=True)
    held = await bench.running(await bench.submit(request, mailbox=MAILBOX))
    for seq in (1, 1, 2, 1, 3):
        assert await bench.emit(held, seq, f"c{seq}".encode()) == "OK"
    await bench.finish(held)

    assert await bench.payloads(own, "chunk") == ["c1", "c2", "c3"]
    assert await bench.payloads(MAILBOX, "chunk") == ["c1", "c2", "c3"]
    await bench.the_final(request.request_id)


async def test_wrong_type_callback_does_not_stop_the_worker(bench: Bench) -> None:
    """A callback that is no stream: chunks go nowhere, the lease is kept."""
    await bench.store.set("my:string", "x")
    held = await streaming(bench, callback="my:string")

    assert await bench.emit(held, 1, b"x") == "OK"
    assert cast(bytes, await bench.store.get("my:string")) == b"x"
