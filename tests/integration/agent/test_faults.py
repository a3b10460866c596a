"""One fault each: of the engine, of the store, and of the worker itself."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from orion_contracts import keys

if TYPE_CHECKING:
    from .conftest import Bench

SLOW_TOKENS: dict[str, Any] = {"token_delay_ms": 50.0}


async def test_sigterm_with_work_in_flight(bench: Bench) -> None:
    """16 running: all back in the queue, none counted as a crash, node gone, exit 0."""
    worker = await bench.up("--slots", "16", "--shutdown-grace-s", "1")
    bench.board.set_fault(hang_before_first=True)
    requests = [bench.request() for _ in range(16)]
    for request in requests:
        await bench.give(request)
    for request in requests:
        await bench.in_state(request, "RUNNING")
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code(25) == 0
    assert time.monotonic() - began < 5
    for request in requests:
        facts = await bench.facts(request)
        assert (facts["state"], facts["crashes"], facts["losses"]) == ("QUEUED", "0", "0")
    assert not await bench.client.exists(keys.node_health("pi-1"), keys.alive("pi-1"))
    assert not await bench.client.exists(keys.drain("pi-1"))
    assert not await bench.client.sismember(keys.NODES, "pi-1")


async def test_sigterm_lets_an_answer_finish(bench: Bench) -> None:
    """What fits into the grace period is finished; meanwhile the board gets nothing new."""
    worker = await bench.up()
    bench.board.set_fault(**SLOW_TOKENS)
    request = bench.request(options={"num_predict": 30})
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    worker.signal(signal.SIGTERM)
    assert (await bench.final(request))["status"] == "completed"
    assert await worker.exit_code(10) == 0
    assert (await bench.give(bench.request())).state == "NEW"


@pytest.mark.parametrize("fault", [{"hang_before_first": True}, {"hang_after_tokens": 3}], ids=str)
async def test_a_hung_engine_loses_its_request(
    bench: Bench, fault: dict[str, Any], tmp_path: Path
) -> None:
    """The request goes back as a loss, the board takes nothing until it answers a probe; the mark
    for a probe that restarts Ollama is there meanwhile, and a stale one goes at the start."""
    mark = tmp_path / "engine-wedged"
    mark.touch()
    flags = ("--stall-prefill-s", "0.5", "--stall-token-s", "0.5", "--wedged-mark", str(mark))
    worker = await bench.up(*flags)
    assert not mark.exists()
    warm = bench.request()
    await bench.give(warm)
    await bench.final(warm)
    bench.board.set_fault(**fault)
    request = bench.request("x")
    await bench.give(request)
    await bench.in_state(request, "QUEUED")
    facts = await bench.facts(request)
    assert (facts["losses"], facts["crashes"]) == ("1", "0")
    if "hang_before_first" in fault:  # else the probe's one token has come by now
        assert (await bench.health())["engine"]["wedged"] is True
        assert mark.exists()
    assert "Ollama hangs" in worker.log()
    bench.board.clear_faults()
    await bench.engine_says("wedged", False)
    assert not mark.exists()
    await bench.ledger.dispatch(request.request_id, "pi-1", bench.epoch, 1)
    final = await bench.final(request)
    assert (final["status"], final["attempt"]) == ("completed", 2)


@pytest.mark.parametrize(
    "fault",
    [{"cut_after_tokens": 2}, {"end_without_done_after": 2}, {"error_mid_stream": 2}],
    ids=str,
)
async def test_a_broken_stream_is_a_crash(bench: Bench, fault: dict[str, Any]) -> None:
    """Cut, ended without `done`, or an error in its midst: the request goes back, counted."""
    await bench.up()
    bench.board.set_fault(**fault)
    request = bench.request()
    await bench.give(request)
    await bench.in_state(request, "QUEUED")
    assert (await bench.facts(request))["crashes"] == "1"


async def test_a_refusing_engine(bench: Bench) -> None:
    """503: back at once, counted as refused; the board says so before, and recovers by itself."""
    await bench.up()
    bench.board.set_fault(status=503, count=1)
    request = bench.request()
    await bench.give(request)
    await bench.in_state(request, "QUEUED")
    facts = await bench.facts(request)
    assert (facts["refusals"], facts["crashes"]) == ("1", "0")
    assert (await bench.health())["engine"]["reachable"] is False
    await bench.engine_says("reachable", True)
    await bench.ledger.dispatch(request.request_id, "pi-1", bench.epoch, 1)
    assert (await bench.final(request))["status"] == "completed"


async def test_an_engine_that_dies_and_comes_back(bench: Bench) -> None:
    """Killed in mid-stream: a crash; unreachable until it is back; then the board serves again."""
    await bench.up()
    bench.board.set_fault(**SLOW_TOKENS)
    request = bench.request(options={"num_predict": 200})
    await bench.give(request)

    async def streaming() -> bool:
        return len(await bench.events(request.reply_stream)) > 2

    from .conftest import until

    await until(streaming)
    bench.board.kill()
    await bench.in_state(request, "QUEUED")
    assert (await bench.facts(request))["crashes"] == "1"
    assert (await bench.health())["engine"]["reachable"] is False
    refused = bench.request()
    await bench.give(refused)
    await bench.in_state(refused, "QUEUED")
    assert (await bench.facts(refused))["refusals"] == "0"
    bench.board.start()
    await bench.engine_says("reachable", True)
    await bench.ledger.dispatch(refused.request_id, "pi-1", bench.epoch, 1)
    assert (await bench.final(refused))["status"] == "completed"


async def test_the_store_is_killed_again_and_again(bench: Bench) -> None:
    """The engine goes on, what it says waits, and the request completes with no crash counted."""
    await bench.up()
    bench.board.set_fault(**SLOW_TOKENS)
    request = bench.request(options={"num_predict": 100})
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    for _ in range(8):
        await anyio.to_thread.run_sync(bench.store.restart)
        await anyio.sleep(0.3)
    final = await bench.final(request, 30)
    assert (final["status"], final["attempt"]) == ("completed", 1)
    assert (await bench.facts(request))["crashes"] == "0"
    deltas = [d for kind, p in await bench.events(request.reply_stream) if kind == "chunk"
              for d in p["deltas"]]  # fmt: skip
    assert "".join(d["content"] for d in deltas) == final["response"]


async def test_a_cancel_frees_the_board(bench: Bench) -> None:
    """Within a second of the next token, with the partial text in the final."""
    await bench.up()
    bench.board.set_fault(**SLOW_TOKENS)
    request = bench.request(options={"num_predict": 2000})
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    await anyio.sleep(0.5)
    assert await bench.ledger.cancel(request.request_id) == "PENDING"
    final = await bench.final(request, 2)
    assert (final["status"], final["error_code"]) == ("cancelled", "cancelled")
    assert final["error"] == "cancelled by its client"
    assert final["response"]
    from .conftest import until

    await until(lambda: bench.board.stats()["inside"] == 0, 2, "the board is free")


async def test_a_cold_load_survives_the_client_that_caused_it(bench: Bench) -> None:
    """Cancelled while it waits for the model; the load goes on for the next one."""
    await bench.up("--slots", "2")
    bench.board.set_fault(load_delay_s=2.0)
    first, second = bench.request(), bench.request()
    await bench.give(first)
    await bench.in_state(first, "RUNNING")
    await bench.give(second)
    await bench.ledger.cancel(first.request_id)
    assert (await bench.final(first, 3))["status"] == "cancelled"
    assert (await bench.final(second))["status"] == "completed"
    stats = bench.board.stats()
    assert (stats["loads_aborted"], stats["cold_loads"]) == (0, 1)


async def test_a_second_worker_of_the_same_name_takes_over(bench: Bench) -> None:
    """The first one says what to do about it and ends with 1; the second one serves."""
    first = await bench.up()
    second = bench.worker().start()
    assert await first.exit_code(20) == 1
    assert "--node-id" in first.log()
    request = bench.request()
    await bench.give(request)
    assert (await bench.final(request))["status"] == "completed"
    assert second.process is not None
    assert second.process.poll() is None


async def test_a_killed_worker_counts_as_a_crash_when_it_is_back(bench: Bench) -> None:
    """Its next incarnation gives the work back before it takes anything."""
    worker = await bench.up()
    bench.board.set_fault(hang_before_first=True)
    request = bench.request()
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    worker.signal(signal.SIGKILL)
    bench.board.clear_faults()
    bench.worker().start()
    await bench.in_state(request, "QUEUED", 20)
    assert (await bench.facts(request))["crashes"] == "1"


async def test_a_flushed_store_is_enlisted_in_again(bench: Bench) -> None:
    """Liveness, stream and health come back by themselves, and requests are served."""
    await bench.up()
    await bench.client.flushall()
    bench.epoch = (await bench.ledger.planner("test")).epoch
    from .conftest import until

    await until(lambda: bench.client.exists(keys.alive("pi-1")), 10, "liveness")
    request = bench.request()
    await until(lambda: bench.client.exists(keys.node_requests("pi-1")), 10, "the stream")
    await bench.give(request)
    assert (await bench.final(request))["status"] == "completed"


async def test_health_and_gates(bench: Bench, tmp_path: Path) -> None:
    """A hot board says so within its interval; a request put straight on its stream is queued."""
    import orjson

    from orion_contracts import schema

    zone = tmp_path / "root/sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("80000\n")
    worker = await bench.up("--host-root", str(tmp_path / "root"))
    health = await bench.health()
    schema.check("node-health", health)
    assert health["temperature_c"] == 80.0
    answer = worker.get("/health")
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.json()["node"]["temperature_c"] == 80.0
    assert worker.get("/livez").status_code == 200
    assert worker.get("/readyz").status_code == 200
    request = bench.request(callback="mine")
    body = orjson.dumps(request.to_wire())
    await bench.client.xadd(keys.node_requests("pi-1"), {"payload": body})
    await bench.in_state(request, "QUEUED")


async def test_the_store_is_away_from_start_to_end(bench: Bench) -> None:
    """The worker lives and says why it is not ready; told to stop, it stops in time."""
    bench.store.stop()
    from .conftest import until

    worker = bench.worker().start()

    def lives() -> bool:
        try:
            return worker.get("/livez").status_code == 200
        except httpx.ConnectError:
            return False

    await until(lives, 20, "the HTTP port")
    answer = worker.get("/readyz")
    assert answer.status_code == 503
    assert "store" in answer.json()["output"]
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code(5) == 0


async def test_sigterm_while_the_store_is_away(bench: Bench) -> None:
    """Nobody can be told, but the worker ends within its budget."""
    worker = await bench.up("--shutdown-grace-s", "1")
    bench.board.set_fault(hang_before_first=True)
    request = bench.request()
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    bench.store.kill()
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code(8) == 0
