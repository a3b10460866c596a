"""The worker's promises, on fakeredis and a scripted engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest

from orion_agent.endpoints import document
from orion_agent.engine import Done
from orion_contracts import keys, schema
from orion_contracts.errors import (
    EngineCrashed,
    EngineRefused,
    EngineRejected,
    EngineStalled,
)
from orion_contracts.facts import Facts

from .conftest import make_request

if TYPE_CHECKING:
    from .conftest import Rig

pytestmark = pytest.mark.may_block("sensor files and fakeredis")


async def test_the_health_loop_publishes_valid_reports_every_interval(rig: Rig) -> None:
    """The hash is complete, valid, and its sequence number rises."""

    async def reports() -> dict[str, Any] | None:
        found: Any = await rig.store.hgetall(keys.node_health("pi-1"))
        health = {k.decode(): orjson.loads(v) for k, v in found.items()}
        return health if health.get("seq", 0) >= 3 else None

    async with rig.running():
        health = await rig.until(reports)
        schema.check("node-health", health)
        assert health["engine"]["reachable"] is True
        assert [m["name"] for m in health["resident"]] == ["tiny:latest"]
        assert 0 < await rig.store.ttl(keys.node_health("pi-1")) <= 15
        assert await rig.store.sismember(keys.NODES, "pi-1")


async def test_the_health_loop_survives_every_failure(rig: Rig) -> None:
    """Ollama away and the store failing are logged; the next report comes."""
    rig.engine.down = EngineRefused("connection refused")
    async with rig.running():
        original, failures = rig.store.pipeline, 0

        def broken(*args: Any, **kwargs: Any) -> Any:
            nonlocal failures
            failures += 1
            if failures <= 2:
                raise OSError("no store")
            return original(*args, **kwargs)

        rig.store.pipeline = broken  # type: ignore[method-assign]
        before = rig.parts.reporter.published_s

        async def again() -> bool:
            return failures > 2 and rig.parts.reporter.published_s != before

        await rig.until(again)
        health = rig.parts.reporter.health
        assert health is not None
        assert health.engine.reachable is False


async def test_a_hash_that_was_lost_is_written_whole_again(rig: Rig) -> None:
    """Only changes are written; what is missing in the store is noticed."""

    async def complete() -> bool:
        return bool(await rig.store.hexists(keys.node_health("pi-1"), "models"))

    async with rig.running():
        await rig.store.delete(keys.node_health("pi-1"))
        await rig.until(complete)


async def test_a_request_is_consumed_and_acknowledged(rig: Rig) -> None:
    """Doorbell in, one valid final out, nothing left in the stream or pending."""
    async with rig.running():
        request = make_request()
        assert await rig.give(request) == "ASSIGNED"
        final = await rig.final(request)
        schema.check("inference.response", final)
        assert (final["status"], final["response"]) == ("completed", "Hello")
        assert (final["prompt_tokens"], final["completion_tokens"]) == (3, 2)
        stream = keys.node_requests("pi-1")
        assert await rig.store.xlen(stream) == 0
        assert (await rig.store.xpending(stream, keys.WORKERS_GROUP))["pending"] == 0


async def bells(rig: Rig) -> dict[str, Facts | None]:
    """What the doorbell told of ended requests, by status."""
    rung: Any = await rig.store.xrange(keys.EVENTS)
    ended = [fields for _, fields in rung if fields[b"kind"] == b"done"]
    return {f[b"status"].decode(): Facts.from_bytes(f.get(b"facts", b"")) for f in ended}


async def test_planners_learn_what_a_run_measured(rig: Rig) -> None:
    """The engine's own figures and the wait for the model; of a failed run, nothing."""
    rig.engine.resident.clear()
    rig.engine.script = [
        {"content": "Hi"},
        Done("length", 40, 8, load_s=0.5, prompt_s=2.0, output_s=4.0),
    ]
    async with rig.running():
        good, bad = make_request(), make_request()
        await rig.give(good)
        await rig.final(good)
        rig.engine.script = [EngineRejected("no such option", 400)]
        await rig.give(bad)
        await rig.final(bad)
        told = await bells(rig)

    measured = told["COMPLETED"]
    assert measured is not None
    assert measured.load_s >= 0.5
    assert replace(measured, load_s=0.0) == Facts(
        model="tiny", prompt_tokens=40, prompt_s=2.0, output_tokens=8, output_s=4.0,
        residency="cold", reason="length",
    )  # fmt: skip
    assert told["FAILED"] is None


async def test_reports_tell_how_far_requests_are(rig: Rig) -> None:
    """Loading, reading its prompt, writing: state and tokens so far; nothing once it has ended."""
    loaded, read, written = anyio.Event(), anyio.Event(), anyio.Event()
    rig.engine.resident.clear()
    rig.engine.load_gate = loaded.wait
    rig.engine.script = [read.wait, {"content": "a"}, {"content": "b"}, written.wait, Done()]
    request = make_request(stream=False)

    def state(wanted: str) -> Callable[[], Awaitable[Any]]:
        async def look() -> Any:
            rig.parts.reporter.nudge()
            raw: Any = await rig.store.hget(keys.node_health("pi-1"), "progress")
            told = [(p["request_id"], p["state"], p["output_tokens"]) for p in orjson.loads(raw)]
            tokens = 2 if wanted == "decode" else 0
            return told == ([(request.request_id, wanted, tokens)] if wanted else [])

        return look

    async with rig.running():
        await rig.give(request)
        for wanted, event in (("loading", loaded), ("prefill", read), ("decode", written)):
            await rig.until(state(wanted))
            page = document(rig.parts, "0.1.0", False, 0.0)
            assert request.request_id not in orjson.dumps(page).decode()  # /health is for anybody
            event.set()
        await rig.final(request)
        await rig.until(state(""))


async def test_a_graceful_shutdown_removes_the_node_from_the_registry(rig: Rig) -> None:
    """Health, liveness and index are gone, and no drain mark stays behind."""
    async with rig.running():
        assert await rig.store.exists(keys.node_health("pi-1"), keys.alive("pi-1")) == 2
    assert not await rig.store.exists(keys.node_health("pi-1"), keys.alive("pi-1"))
    assert not await rig.store.sismember(keys.NODES, "pi-1")
    assert not await rig.store.exists(keys.drain("pi-1"))


async def test_a_graceful_shutdown_gives_back_what_does_not_finish(rig: Rig) -> None:
    """The request is queued again with no failure counted, and the engine's call is aborted."""
    rig.engine.script = [{"content": "a"}, anyio.sleep_forever]
    request = make_request()
    async with rig.running():
        await rig.give(request)

        async def runs() -> bool:
            return await rig.state(request) == "RUNNING"

        await rig.until(runs)
    assert await rig.state(request) == "QUEUED"
    assert rig.engine.aborted == 1
    counts: Any = await rig.store.hmget(keys.record(request.request_id), ["crashes", "losses"])
    assert counts == [b"0", b"0"]


@pytest.mark.parametrize(
    ("error", "counter"),
    [
        (EngineCrashed("cut"), "crashes"),
        (EngineStalled("hung"), "losses"),
        (EngineRefused("busy", 503), "refusals"),
    ],
    ids=lambda value: str(value),
)
async def test_a_failing_engine_gives_the_request_back(
    rig: Rig, error: Exception, counter: str
) -> None:
    """Each kind of failure has its own counter; the request is queued again."""
    rig.engine.script = [error]
    request = make_request()

    async def queued() -> bool:
        return await rig.state(request) == "QUEUED"

    async with rig.running():
        await rig.give(request)
        await rig.until(queued)
        assert await rig.store.hget(keys.record(request.request_id), counter) == b"1"


async def test_what_the_engine_rejects_fails_with_its_words(rig: Rig) -> None:
    """A 4xx is final: no board would do better."""
    rig.engine.script = [EngineRejected('"tiny" does not support tools', 400)]
    async with rig.running():
        request = make_request()
        await rig.give(request)
        final = await rig.final(request)
        assert (final["status"], final["error_status"]) == ("failed", 400)
        assert final["error"] == '"tiny" does not support tools'


async def test_a_stream_without_done_is_no_success(rig: Rig) -> None:
    """The text that came is not taken for an answer."""
    rig.engine.script = [{"content": "half an ans"}]
    request = make_request()

    async def queued() -> bool:
        return await rig.state(request) == "QUEUED"

    async with rig.running():
        await rig.give(request)
        await rig.until(queued)


async def test_a_deadline_stops_the_engine(rig: Rig) -> None:
    """The engine's call is aborted in time; the sweep closes the record."""
    rig.engine.script = [anyio.sleep_forever]
    async with rig.running():
        request = make_request(deadline_ms=150)
        await rig.give(request)

        async def aborted() -> bool:
            return rig.engine.aborted == 1

        await rig.until(aborted)


async def test_a_fenced_worker_stops_silently(rig: Rig) -> None:
    """Somebody else runs the request: the engine's call is aborted, nothing is published."""

    async def steal() -> None:
        await rig.store.hset(keys.record(request.request_id), "token", "2:other")
        await anyio.sleep_forever()

    request = make_request()
    rig.engine.script = [{"content": "a"}, steal]
    async with rig.running():
        await rig.give(request)

        async def aborted() -> bool:
            return rig.engine.aborted == 1

        await rig.until(aborted)
        assert await rig.state(request) == "RUNNING"


async def test_one_load_serves_all_who_wait_for_it(rig: Rig) -> None:
    """A model that is not resident is loaded once, by a task that no request owns."""
    release = anyio.Event()
    rig.engine.load_gate = release.wait
    request = make_request(model="big")
    async with rig.running():
        await rig.give(request)

        async def loading() -> bool:
            health = rig.parts.reporter.health
            return health is not None and health.loading == ("big:latest",)

        await rig.until(loading)
        await rig.ledger.cancel(request.request_id)
        assert (await rig.final(request))["status"] == "cancelled"
        assert rig.engine.loads == 1
        release.set()
        second = make_request(model="big")
        await rig.give(second)
        assert (await rig.final(second))["status"] == "completed"
        assert rig.engine.loads == 1


async def test_half_a_surrogate_does_not_poison_an_answer(rig: Rig) -> None:
    """What cannot be written as UTF-8 becomes a question mark."""
    rig.engine.script = [{"content": "a\ud800b"}, Done("stop", 1, 1)]
    async with rig.running():
        request = make_request()
        await rig.give(request)
        assert (await rig.final(request))["response"] == "a?b"


async def test_a_closed_gate_passes_direct_requests_on(rig: Rig) -> None:
    """A draining board admits what was put straight on its stream, for a router to place."""
    async with rig.running():
        await rig.store.set(keys.drain("pi-1"), "by the operator")

        async def draining() -> bool:
            return rig.parts.reporter.draining

        await rig.until(draining)
        request = make_request(callback="mine")
        body = orjson.dumps(request.to_wire())
        await rig.store.xadd(keys.node_requests("pi-1"), {"payload": body})

        async def queued() -> bool:
            return await rig.state(request) == "QUEUED"

        await rig.until(queued)
    assert await rig.store.get(keys.drain("pi-1")) == b"by the operator"


async def test_a_taken_over_board_is_noticed(rig: Rig) -> None:
    """The beat tells who holds the board now, and beats no more."""
    async with rig.running():
        await rig.ledger.enlist("pi-1", "life-2")
        assert rig.parts.beat.beat()
        assert rig.taken_over == ["life-2"]
