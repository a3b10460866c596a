"""Somebody writes over the records of requests that wait on a board's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from orion_contracts import keys

if TYPE_CHECKING:
    from .conftest import Bench

STREAM = keys.node_requests("pi-1")


async def test_spoilt_records_keep_no_slot(bench: Bench) -> None:
    """A doorbell and direct entries whose records are strings wait for a board of one slot: each is
    settled, the direct ones are answered on their callbacks, and the next requests are served."""
    await bench.up()
    bench.board.set_fault(hang_before_first=True)
    holder = bench.request()
    await bench.give(holder)
    await bench.in_state(holder, "RUNNING")
    rung = bench.request("x")
    assert (await bench.give(rung)).state == "ASSIGNED"
    direct = [bench.request(callback=f"replies:{n}", stream=False) for n in range(3)]
    for request in direct:
        await bench.client.xadd(STREAM, {"payload": orjson.dumps(request.to_wire())})
    for request in (rung, *direct):
        await bench.client.set(keys.record(request.request_id), "x")
    await bench.ledger.cancel(holder.request_id)
    assert (await bench.final(holder))["status"] == "cancelled"
    bench.board.clear_faults()
    for request in direct:
        final = await bench.final(request)
        assert (final["status"], final["error_code"]) == ("rejected", "ledger_refused")
    await bench.ledger.sweep(bench.epoch, None)
    lost = await bench.final(rung)
    assert (lost["status"], lost["error_code"]) == ("failed", "record_lost")
    for request in (bench.request(), bench.request()):
        await bench.give(request)
        assert (await bench.final(request))["status"] == "completed"
    assert await bench.client.xlen(STREAM) == 0
    letters: Any = await bench.client.xrange(keys.DEAD)
    buried = [f[b"id"].decode() for _, f in letters]
    assert sorted(buried) == sorted(r.request_id for r in (rung, *direct))
    log = bench.workers[0].log()
    assert log.count("refused") == len(direct)
    assert "trying on" not in log


async def test_a_record_spoilt_while_it_runs_frees_the_board(bench: Bench) -> None:
    """The engine's call is aborted within a heartbeat; the next request is served."""
    await bench.up()
    bench.board.set_fault(token_delay_ms=50.0)
    request = bench.request(options={"num_predict": 2000})
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    await bench.client.set(keys.record(request.request_id), "x")
    follower = bench.request()
    await bench.give(follower)
    bench.board.clear_faults()
    assert (await bench.final(follower, 5))["status"] == "completed"
