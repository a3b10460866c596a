"""What the keys of one request hold costs the worker that request, and no slot."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import fakeredis
import orjson
import pytest
from redis.exceptions import (
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as StoreConnectionError

from orion_agent.patience import Patience
from orion_contracts import keys, schema
from orion_contracts.errors import StoreUnavailable

from .conftest import make_request

if TYPE_CHECKING:
    from .conftest import Rig

pytestmark = pytest.mark.may_block("sensor files and fakeredis")
LASTING = (
    ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    ResponseError("user_function:330: attempt to perform arithmetic on a nil value script: f"),
)
PASSING = (
    StoreConnectionError("lost"), OSError("away"), BusyLoadingError("loading"),
    OutOfMemoryError("full"), ReadOnlyError("replica"), NoPermissionError("no"),
    ResponseError("NOREPLICAS Not enough good replicas to write."), StoreUnavailable("old"),
)  # fmt: skip


class Flaky:
    """A call that fails in one way, then answers."""

    def __init__(self, error: Exception, failures: int) -> None:
        self._error, self._failures, self.calls = error, failures, 0

    async def __call__(self) -> str:
        """Fail, or answer."""
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "answer"


def patience() -> Patience:
    """One whose store does not matter."""
    return Patience(fakeredis.FakeAsyncRedis())


@pytest.mark.parametrize("error", LASTING, ids=str)
async def test_an_error_that_lasts_is_not_repeated(error: Exception) -> None:
    """It is the caller's to deal with, at once; unless nothing else can be done before."""
    call = Flaky(error, 2)
    with pytest.raises(ResponseError):
        await patience().insist(call)
    assert call.calls == 1
    assert await patience().insist(call, whatever=True) == "answer"


@pytest.mark.parametrize("error", PASSING, ids=lambda e: type(e).__name__ + str(e)[:12])
async def test_what_an_administrator_can_mend_is_waited_for(error: Exception) -> None:
    """Away, full, read-only, loading, no rights."""
    assert await patience().insist(Flaky(error, 2)) == "answer"


async def served(rig: Rig) -> None:
    """The next request gets its answer, so a slot is free."""
    request = make_request()
    assert await rig.give(request) == "ASSIGNED"
    assert (await rig.final(request))["status"] == "completed"
    assert await rig.store.xlen(keys.node_requests("pi-1")) == 0
    assert rig.parts.slots.running == 0


async def a_string(rig: Rig, key: str) -> None:
    """SET."""
    await rig.store.set(key, "x")


async def no_deadline(rig: Rig, key: str) -> None:
    """HDEL."""
    await rig.store.hdel(key, "deadline")


@pytest.mark.parametrize("spoil", [a_string, no_deadline], ids=lambda f: f.__name__)
async def test_a_doorbell_of_a_spoilt_record_keeps_no_slot(
    rig: Rig, spoil: Callable[[Rig, str], Awaitable[None]]
) -> None:
    """It waited in the stream while somebody wrote over the record."""
    request = make_request()
    async with rig.running():
        rig.parts.slots.close("test")  # nothing is read meanwhile
        admitted = await rig.ledger.admit(
            request, orjson.dumps(request.to_wire()), b'{"model":"tiny"}',
            node="pi-1", epoch=rig.epoch,
        )  # fmt: skip
        assert admitted.state == "ASSIGNED"
        await spoil(rig, keys.record(request.request_id))
        rig.parts.slots.open("test")
        await rig.store.srem(keys.inflight("pi-1"), request.request_id)
        await served(rig)
        assert rig.engine.seen[-1].request_id != request.request_id


async def test_a_direct_entry_over_a_spoilt_record_is_answered_and_buried(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """On its callback, with a dead letter and one line in the log; the next one is served."""
    request = make_request(callback="mine")
    body = orjson.dumps(request.to_wire())
    await rig.store.set(keys.record(request.request_id), "x")
    with caplog.at_level(logging.WARNING):
        async with rig.running():
            entry: Any = await rig.store.xadd(keys.node_requests("pi-1"), {"payload": body})
            final = await rig.final(request)
            await served(rig)
    schema.check("inference.response", final)
    assert (final["status"], final["error_code"]) == ("rejected", "ledger_refused")
    assert final["request_id"] == request.request_id
    letters: Any = await rig.store.xrange(keys.DEAD)
    assert [(f[b"entry"], f[b"id"]) for _, f in letters] == [(entry, request.request_id.encode())]
    assert sum(entry.decode() in record.getMessage() for record in caplog.records) == 1
    assert await rig.store.get(keys.record(request.request_id)) == b"x"


async def test_a_closed_board_refuses_such_an_entry_too(rig: Rig) -> None:
    """One that would be passed on to the queue."""
    request = make_request(callback="mine")
    await rig.store.set(keys.record(request.request_id), "x")
    async with rig.running():
        await rig.store.set(keys.drain("pi-1"), "by the operator")

        async def draining() -> bool:
            return rig.parts.reporter.draining

        await rig.until(draining)
        body = orjson.dumps(request.to_wire())
        await rig.store.xadd(keys.node_requests("pi-1"), {"payload": body})
        assert (await rig.final(request))["error_code"] == "ledger_refused"


@pytest.mark.parametrize("spoil", [a_string, no_deadline], ids=lambda f: f.__name__)
async def test_a_record_spoilt_in_mid_run_frees_its_slot(
    rig: Rig, spoil: Callable[[Rig, str], Awaitable[None]]
) -> None:
    """The engine's call is aborted; the next request is served."""
    request = make_request()
    script = rig.engine.script
    rig.engine.script = [
        {"content": "a"},
        lambda: spoil(rig, keys.record(request.request_id)),
        anyio.sleep_forever,
    ]

    async def aborted() -> bool:
        return rig.engine.aborted == 1 and not rig.parts.slots.running

    async with rig.running():
        assert await rig.give(request) == "ASSIGNED"
        await rig.until(aborted)
        rig.engine.script = script
        await rig.store.srem(keys.inflight("pi-1"), request.request_id)
        await served(rig)


async def test_a_fault_of_the_ledgers_functions_keeps_no_slot(rig: Rig) -> None:
    """They raise for this request whatever the worker does: buried under its id, slot free."""
    request = make_request()
    original: Any = rig.ledger.start

    async def broken(*args: Any) -> Any:
        if request.request_id in args:
            raise LASTING[1]
        return await original(*args)

    ledger: Any = rig.ledger
    ledger.start = broken
    async with rig.running():
        assert await rig.give(request) == "ASSIGNED"

        async def buried() -> bool:
            letters: Any = await rig.store.xrange(keys.DEAD)
            return [f[b"id"] for _, f in letters] == [request.request_id.encode()]

        await rig.until(buried)
        await rig.store.srem(keys.inflight("pi-1"), request.request_id)
        await served(rig)
