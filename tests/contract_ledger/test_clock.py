"""Clock steps: boards boot in the past and jump; no deadline, lease or place moves with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis.asyncio

from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.ledger import library_source
from orion_lab.stores import Kind, StoreProcess
from servers.needs import demand

HOUR, DAY = 3_600_000, 86_400_000
STEPS = pytest.mark.parametrize(
    "step", [HOUR, -HOUR, 3 * DAY, -3 * DAY], ids=["+1h", "-1h", "+3d", "-3d"]
)


async def settled(bench: Bench) -> int:
    """Let the ledger remember its clock; returns it."""
    swept = await bench.ledger.sweep(bench.epoch, await bench.now())
    assert swept.state == "OK"
    return swept.now_ms


@STEPS
async def test_step_is_told_and_nothing_is_closed(bench: Bench, step: int) -> None:
    """JUMP in both directions: neither deadlines nor leases count."""
    await bench.board("pi-a")
    queued = await bench.submit(a_request(deadline_ms=60_000))
    assigned = await bench.assigned(await bench.submit())
    running = await bench.running()
    now = await settled(bench)
    await bench.pass_time(step)
    swept = await bench.ledger.sweep(bench.epoch, now + 3000)

    assert swept.state == "JUMP"
    assert swept.last_ms == now
    states = [await bench.state(i) for i in (queued, assigned.request_id, running.request_id)]
    assert states == ["QUEUED", "ASSIGNED", "RUNNING"]


@STEPS
async def test_steady_keeps_what_remains(bench: Bench, step: int) -> None:
    """Afterwards every deadline is as far away as before, and leases begin anew."""
    await bench.board("pi-a")
    queued = await bench.submit(a_request(deadline_ms=60_000))
    running = await bench.running(deadline_ms=60_000)
    await settled(bench)
    before = {i: int((await bench.record(i))["deadline"]) for i in (queued, running.request_id)}
    truth = await bench.now()
    await bench.pass_time(step)
    assert await bench.ledger.steady(bench.epoch, truth)

    assert abs(await bench.now() - truth) < 2000
    assert {i: int((await bench.record(i))["deadline"]) for i in before} == before
    due = await bench.due(running.request_id)
    assert due is not None
    assert abs(due - truth - bench.times.run_ms) < 2000
    assert (await bench.sweep()).moved == 0
    assert await bench.emit(running) == "OK"
    await bench.pass_time(60_000)
    await bench.sweep()
    for request_id in before:
        assert (await bench.the_final(request_id))["status"] == "expired"


@STEPS
async def test_entries_stamped_in_between_are_corrected_and_keep_their_order(
    bench: Bench, step: int
) -> None:
    """Admitted after the step and before its discovery: deadline and place as if it never was."""
    me = await bench.board("pi-a")
    early: list[str] = []
    for _ in range(3):
        early.append(await bench.submit(a_request(deadline_ms=60_000)))
        await bench.pass_time(300)
    now = await settled(bench)
    for _ in range(2):
        await bench.pass_time(100)
        early.append(await bench.submit(a_request(deadline_ms=60_000)))
    truth = await bench.now() + 1000
    await bench.pass_time(step)
    between: list[str] = []
    for _ in range(4):
        between.append(await bench.submit(a_request(deadline_ms=60_000)))
        await bench.pass_time(20)
    entry = await bench.entry(stream=keys.node_requests("pi-a"))
    taken = await bench.ledger.take(
        a_request(deadline_ms=60_000), b"body", b"{}", entry, "pi-a", me
    )
    (taken_id,) = await bench.inflight()
    assert taken is not None
    if step > 0:
        assert await bench.queue() == early + between
    assert (await bench.ledger.sweep(bench.epoch, now + 3000)).state == "JUMP"
    assert await bench.ledger.steady(bench.epoch, truth)

    assert await bench.queue() == early + between
    for request_id in [*between, taken_id]:
        record = await bench.record(request_id)
        assert abs(int(record["deadline"]) - truth - 60_000) < 4000
        assert abs(int(record["accepted"]) - truth) < 4000
        assert int(record["deadline"]) - int(record["accepted"]) == 60_000
    due = await bench.due(taken_id)
    assert due is not None
    assert abs(due - truth - bench.times.run_ms) < 2000
    after = await bench.submit()
    assert await bench.queue() == [*early, *between, after]


async def test_older_entries_are_not_shifted_by_a_rough_estimate(bench: Bench) -> None:
    """The planner's reckoning may lag by some ms: what came before the step stays."""
    request_id = await bench.submit(a_request(deadline_ms=60_000))
    accepted = int((await bench.record(request_id))["accepted"])
    await bench.pass_time(HOUR)
    await bench.ledger.steady(bench.epoch, accepted - 50)

    record = await bench.record(request_id)
    assert 0 <= accepted - int(record["accepted"]) <= 50
    assert int(record["deadline"]) - int(record["accepted"]) == 60_000


async def test_clock_never_runs_backwards(bench: Bench) -> None:
    """Between a step back and its correction time stands still; no queue time is negative."""
    await bench.board("pi-a")
    await settled(bench)
    held = await bench.assigned(await bench.submit())
    await bench.pass_time(-HOUR)
    started = await bench.start(held)

    assert started is not None
    assert started.queue_ms >= 0
    assert 0 < started.remaining_ms <= bench.times.backstop_ms + 1000


async def test_small_gaps_are_tolerated(bench: Bench) -> None:
    """Under 2 s nothing is a step: drift and slow calls are ordinary."""
    now = await settled(bench)
    await bench.pass_time(1500)

    assert (await bench.ledger.sweep(bench.epoch, now)).state == "OK"


async def test_planner_without_a_clock_of_its_own_goes_by_the_last_sweep(bench: Bench) -> None:
    """A new planner that knows nothing yet: the ledger's memory tells of the step."""
    await bench.submit()
    await settled(bench)
    await bench.pass_time(HOUR)

    assert (await bench.ledger.sweep(bench.epoch, None)).state == "JUMP"


@pytest.mark.needs("faketime")
@pytest.mark.parametrize("step_s", [3600, -3600, 3 * 86400, -3 * 86400])
@pytest.mark.parametrize("kind", ["valkey9", "redis8"])
@pytest.mark.may_block("starts and restarts the store")
@pytest.mark.timeout(60)
async def test_real_store_restarted_with_another_clock(
    kind: Kind, step_s: int, tmp_path: Path
) -> None:
    """The whole way on a real server whose wall clock is stepped by a restart."""
    demand(kind)
    with StoreProcess(kind, tmp_path / kind) as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            await client.function_load(library_source(), replace=True)
            bench = await Bench(client).begin()
            queued = await bench.submit(a_request(deadline_ms=60_000))
            running = await bench.running()
            now = await settled(bench)
        server.restart(clock_offset_s=step_s)
        async with redis.asyncio.Redis.from_url(server.url) as client:
            bench = Bench(client, epoch=bench.epoch)
            assert await bench.ledger.cancel("unknown") == "UNKNOWN"  # the library came back, too
            assert (await bench.ledger.sweep(bench.epoch, now + 500)).state in ("JUMP", "OK")
            assert (await bench.ledger.sweep(bench.epoch, now + 3000)).state == "JUMP"
            assert await bench.ledger.steady(bench.epoch, now + 3000)
            assert (await bench.ledger.sweep(bench.epoch, now + 3000)).moved == 0
            record = await bench.record(running.request_id)
            assert (record["crashes"], record["losses"]) == ("0", "0")
            assert await bench.state(queued) == "QUEUED"
            assert await bench.finish(running) == "OK"
            assert not await client.exists(keys.DEAD)


@pytest.mark.parametrize("name", ["offset", "last"])
@pytest.mark.parametrize("value", ["1e400", "-1e400", "nan", "x", b"\xff", "1e15"], ids=repr)
async def test_a_time_that_is_none_counts_as_none(
    bench: Bench, name: str, value: str | bytes
) -> None:
    """Requests are taken and run; the clock's readers agree; a sweep and a correction go on."""
    await bench.board("pi-a")
    truth = await settled(bench)
    await bench.store.hset(keys.CLOCK, name, value)
    held = await bench.running(deadline_ms=60_000)

    assert abs(await bench.ledger.clock_ms() - truth) < 5000
    assert (await bench.ledger.sweep(bench.epoch, truth)).state == "OK"
    assert await bench.state(held.request_id) == "RUNNING"
    assert abs(int((await bench.record(held.request_id))["deadline"]) - truth - 60_000) < 5000
    assert await bench.ledger.steady(bench.epoch, truth)


async def test_a_clock_of_another_type_gives_way(bench: Bench) -> None:
    """It is written anew with the next sweep."""
    await bench.store.delete(keys.CLOCK)
    await bench.store.set(keys.CLOCK, "x")
    await bench.board("pi-a")
    held = await bench.running(deadline_ms=60_000)

    assert (await bench.ledger.sweep(bench.epoch, None)).state == "OK"
    assert await bench.state(held.request_id) == "RUNNING"
    assert await bench.store.type(keys.CLOCK) == b"hash"
