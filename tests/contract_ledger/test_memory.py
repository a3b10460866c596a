"""A full store: newcomers are refused, what was accepted is finished (real servers)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import RedisError

from contract_ledger.kit import Bench, a_request
from orion_contracts import keys
from orion_contracts.ledger import FailureKind
from servers.stores import Store


@asynccontextmanager
async def full(bench: Bench, store: Store) -> AsyncGenerator[None]:
    """The store refuses every command that may need memory."""
    if store.kind == "fakeredis":
        pytest.skip("fakeredis has no memory limit")
    await bench.store.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        await bench.store.config_set("maxmemory", "0")


async def test_newcomers_are_refused_and_their_entries_kept(bench: Bench, store: Store) -> None:
    """admit and take raise, nothing is stored, the entry stays pending: not lost."""
    me = await bench.board("pi-a")
    request, entry = a_request(), await bench.entry()
    async with full(bench, store):
        with pytest.raises(RedisError, match=r"maxmemory|OOM"):
            await bench.admit(request, source=entry)
        with pytest.raises(RedisError, match=r"maxmemory|OOM"):
            await bench.ledger.take(request, b"body", b"{}", entry, "pi-a", me)
    assert await bench.record(request.request_id) == {}
    assert await bench.pending(keys.REQUESTS, keys.ROUTER_GROUP) == 1

    assert (await bench.admit(request, source=entry)).state == "NEW"  # when there is room again


async def test_accepted_work_is_finished(bench: Bench, store: Store) -> None:
    """From the queue to the final, with chunks, release, sweep, cancel and boards."""
    await bench.board("pi-a")
    first = await bench.submit(a_request(stream=True, callback="my:replies"))
    second, third = await bench.submit(a_request(deadline_ms=5000)), await bench.submit()
    entry = await bench.entry()
    async with full(bench, store):
        held = await bench.assigned(first)
        started = await bench.start(held)
        assert started is not None
        await bench.ledger.release(first, started.token, FailureKind.LOSS, "x")
        held = await bench.running(first)
        assert await bench.emit(held, 1, b"chunk") == "OK"
        assert await bench.finish(held, "text" * 1000, seq=2, chunk=b"last") == "OK"
    await bench.pass_time(5001)
    async with full(bench, store):
        assert (await bench.sweep()).moved == 1
        assert await bench.ledger.cancel(third) == "CANCELLED"
        await bench.ledger.refuse(entry, "", "my:replies", b"{}", "bad", b"")
        await bench.ledger.enlist("pi-b", "b1")
        assert await bench.call("beat", "pi-b", "b1", 9000) == b"OK"
        await bench.ledger.leave("pi-b", "b1")
        assert (await bench.ledger.planner("router-a")).held

    assert len(await bench.payloads("my:replies", "chunk")) == 2
    for request_id in (first, second, third):
        await bench.the_final(request_id)


async def test_a_full_store_takes_health_reports(bench: Bench, store: Store) -> None:
    """Boards without a report get no work, and only finished work makes room again."""
    await bench.board("pi-a")
    async with full(bench, store):
        length = await bench.ledger.report("pi-a", 15, {"seq": b"1", "slots": b"2"}, (), whole=True)
        shorter = await bench.ledger.report("pi-a", 15, {"seq": b"2"}, ("slots",), whole=False)

    assert (length, shorter) == (2, 1)
    assert await bench.store.hgetall(keys.node_health("pi-a")) == {b"seq": b"2"}
    assert 0 < await bench.store.pttl(keys.node_health("pi-a")) <= 15_000
