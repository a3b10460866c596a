"""enlist, beat and leave: boards come and go, and what they held is accounted for."""

from __future__ import annotations

from contract_ledger.kit import Bench
from orion_contracts import keys
from orion_contracts.ledger import FailureKind


async def test_enlist_makes_the_board_known(bench: Bench) -> None:
    """Index, sign of life with the incarnation, and the stream with its group from the start."""
    early = await bench.store.xadd(keys.node_requests("pi-a"), {"payload": "{}"})
    assert await bench.ledger.enlist("pi-a", "i1") == 0

    assert await bench.store.get(keys.alive("pi-a")) == b"i1"
    assert 0 < await bench.store.pttl(keys.alive("pi-a")) <= 4000
    assert await bench.store.smismember(keys.NODES, "pi-a") == [1]
    found = await bench.read(keys.node_requests("pi-a"), keys.WORKERS_GROUP)
    assert [e for e, _ in found] == [early.decode()]  # what came before the first worker is seen
    assert await bench.ledger.enlist("pi-a", "i1") == 0  # the group exists: no matter


async def test_new_incarnation_is_evidence_of_a_crash(bench: Bench) -> None:
    """What ran died with the worker: crashes +1. What was only assigned did not: no count."""
    ran = await bench.running()
    waited = await bench.assigned(await bench.submit())
    assert await bench.ledger.enlist("pi-a", "pi-a#2") == 2

    first, second = await bench.record(ran.request_id), await bench.record(waited.request_id)
    assert (first["state"], first["crashes"], first["losses"]) == ("QUEUED", "1", "0")
    assert (second["state"], second["crashes"], second["losses"]) == ("QUEUED", "0", "0")
    assert await bench.inflight() == set()
    assert await bench.finish(ran) == "FENCED"


async def test_enlisting_again_as_the_same_incarnation_harms_nothing(bench: Bench) -> None:
    """A lost reply: the same worker's running work is its own."""
    held = await bench.running()
    assert await bench.ledger.enlist("pi-a", "pi-a#1") == 0

    assert await bench.state(held.request_id) == "RUNNING"
    assert await bench.finish(held) == "OK"


async def test_loss_becomes_a_crash_when_the_worker_comes_back_anew(bench: Bench) -> None:
    """Silence alone is a loss; a new incarnation proves that the worker died with the request."""
    held = await bench.running()
    await bench.silence("pi-a")
    await bench.sweep()
    record = await bench.record(held.request_id)
    assert (record["crashes"], record["losses"]) == ("0", "1")
    await bench.ledger.enlist("pi-a", "pi-a#2")

    record = await bench.record(held.request_id)
    assert (record["crashes"], record["losses"]) == ("1", "0")
    await bench.ledger.enlist("pi-a", "pi-a#3")  # counted once
    assert (await bench.record(held.request_id))["crashes"] == "1"


async def test_silence_of_a_worker_that_lives_on_never_becomes_a_crash(bench: Bench) -> None:
    """A worker paused and resumed disproves its death; a later restart is another matter."""
    held = await bench.running()
    await bench.silence("pi-a")
    await bench.sweep()
    assert await bench.call("beat", "pi-a", "pi-a#1", 4000) == b"OK"
    await bench.ledger.enlist("pi-a", "pi-a#2")

    record = await bench.record(held.request_id)
    assert (record["crashes"], record["losses"]) == ("0", "1")


async def test_poison_closes_at_three_crashes(bench: Bench) -> None:
    """A request that kills every worker ends failed, with its history and a dead letter."""
    request_id = await bench.submit()
    for n in range(3):
        await bench.running(request_id, "pi-a")
        await bench.ledger.enlist("pi-a", f"pi-a#restart{n}")

    final = await bench.the_final(request_id)
    assert (final["status"], final["error_code"]) == ("failed", "crashed")
    assert "its worker was restarted" in final["error"]
    assert [d["id"] for d in await bench.dead()] == [request_id]
    assert await bench.queue() == []


async def test_poison_closes_at_three_silent_deaths_too(bench: Bench) -> None:
    """The same where every death was first seen as silence."""
    request_id = await bench.submit()
    for n in range(3):
        assert await bench.state(request_id) == "QUEUED"
        await bench.running(request_id, "pi-a")
        await bench.silence("pi-a")
        await bench.sweep()
        await bench.ledger.enlist("pi-a", f"pi-a#restart{n}")

    assert (await bench.the_final(request_id))["error_code"] == "crashed"
    assert len(await bench.dead()) == 1


async def test_beat_keeps_the_board_alive(bench: Bench) -> None:
    """OK, with the time-to-live that was asked for."""
    await bench.ledger.enlist("pi-a", "i1")
    assert await bench.call("beat", "pi-a", "i1", 9000) == b"OK"

    assert 4000 < await bench.store.pttl(keys.alive("pi-a")) <= 9000


async def test_beat_of_an_old_incarnation_is_told_who_took_over(bench: Bench) -> None:
    """A zombie learns it and does not keep the board alive."""
    await bench.ledger.enlist("pi-a", "i1")
    await bench.ledger.enlist("pi-a", "i2")

    assert await bench.call("beat", "pi-a", "i1", 9000) == b"i2"
    assert await bench.store.get(keys.alive("pi-a")) == b"i2"
    assert await bench.store.pttl(keys.alive("pi-a")) <= 4000


async def test_a_late_beat_of_an_old_incarnation_takes_nothing_back(bench: Bench) -> None:
    """Sent before its worker was killed, read by a store that stood still until all had lapsed."""
    await bench.ledger.enlist("pi-a", "i1")
    await bench.ledger.enlist("pi-a", "i2")
    await bench.store.delete(keys.alive("pi-a"))

    assert await bench.call("beat", "pi-a", "i1", 9000) == b"i2"
    assert not await bench.store.exists(keys.alive("pi-a"))
    assert await bench.call("beat", "pi-a", "i2", 9000) == b"OK"


async def test_beat_after_silence_brings_the_board_back(bench: Bench) -> None:
    """Planners hear of it."""
    await bench.ledger.enlist("pi-a", "i1")
    await bench.silence("pi-a")
    await bench.store.srem(keys.NODES, "pi-a")
    assert await bench.call("beat", "pi-a", "i1", 9000) == b"OK"

    assert await bench.store.smembers(keys.NODES) == {b"pi-a"}
    events = await bench.store.xrange(keys.EVENTS)
    assert events[-1][1][b"status"] == b"back"


async def test_grace_mark_gives_way_to_the_worker(bench: Bench) -> None:
    """After a stall the planner speaks for a board until its worker does."""
    await bench.running()
    await bench.silence("pi-a")
    await bench.ledger.grace(bench.epoch)
    assert (await bench.store.get(keys.alive("pi-a")) or b"").startswith(b"grace:")
    assert await bench.call("beat", "pi-a", "pi-a#1", 9000) == b"OK"

    assert await bench.store.get(keys.alive("pi-a")) == b"pi-a#1"


async def test_leave_gives_everything_back_unharmed(bench: Bench) -> None:
    """SIGTERM: running and assigned work queued in place, no counter, node gone everywhere."""
    ran = await bench.running()
    waited = await bench.assigned(await bench.submit())
    await bench.store.hset(keys.node_health("pi-a"), "node", "x")
    assert await bench.ledger.leave("pi-a", "pi-a#1") == 2

    for request_id in (ran.request_id, waited.request_id):
        record = await bench.record(request_id)
        assert record["state"] == "QUEUED"
        assert (record["crashes"], record["losses"], record["refusals"]) == ("0", "0", "0")
    assert set(await bench.queue()) == {ran.request_id, waited.request_id}
    left = [keys.alive("pi-a"), keys.node_health("pi-a"), keys.inflight("pi-a"), keys.NODES]
    assert await bench.store.exists(*left) == 0
    assert await bench.ledger.leave("pi-a", "pi-a#1") == 0


async def test_old_incarnation_cannot_make_the_board_leave(bench: Bench) -> None:
    """A slow shutdown does not take the board away from its successor."""
    await bench.board("pi-a", "i1")
    await bench.board("pi-a", "i2")
    held = await bench.running()

    assert await bench.ledger.leave("pi-a", "i1") == 0
    assert await bench.state(held.request_id) == "RUNNING"
    assert await bench.store.get(keys.alive("pi-a")) == b"i2"


async def test_released_work_runs_elsewhere(bench: Bench) -> None:
    """The whole way: lost here, finished there, one final."""
    held = await bench.running()
    await bench.release(held, FailureKind.CRASH)
    again = await bench.running(held.request_id, "pi-b")

    assert await bench.finish(again) == "OK"
    assert await bench.finish(held) == "DUP"
    await bench.the_final(held.request_id)


async def test_the_name_of_a_board_that_left_is_kept_in_bounds(bench: Bench) -> None:
    """Planners look at its stream; names that come and go for ever do not fill the store."""
    await bench.ledger.enlist("pi-a", "i1")
    await bench.ledger.leave("pi-a", "i1")
    assert await bench.store.hkeys(keys.INCARNATIONS) == [b"pi-a"]

    await bench.ledger.enlist("pi-b", "i1")
    await bench.store.hset(keys.INCARNATIONS, mapping={f"pi-{n}": "i" for n in range(1000)})
    await bench.ledger.leave("pi-b", "i1")
    assert await bench.store.hexists(keys.INCARNATIONS, "pi-a")
    assert not await bench.store.hexists(keys.INCARNATIONS, "pi-b")
