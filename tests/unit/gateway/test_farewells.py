"""Requests whose clients have left are cancelled, also after the store was away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from orion_contracts.errors import StoreUnavailable
from orion_router.gateway import farewells
from orion_router.gateway.farewells import LONGEST_MS, Farewells
from unit.gateway.gateway_harness import CHAT, ID, Client, FakeDesk, client, eventually


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two attempts."""
    monkeypatch.setattr(farewells, "RETRY_S", 0.0)


@asynccontextmanager
async def paying(owing: Farewells) -> AsyncGenerator[None]:
    """What the server runs beside its endpoints."""
    task = asyncio.create_task(owing.run(), name="farewells")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def leave(c: Client, **headers: str) -> str:
    """A client asks and goes; the id of its request."""
    exchange = c.open(
        "POST", "/api/chat", CHAT, {k.replace("_", "-"): v for k, v in headers.items()}
    )
    await c.desk.waited.wait()
    exchange.leave()
    await exchange.ended()
    return c.desk.submitted[-1].request_id


async def test_a_request_left_while_the_store_is_away_is_cancelled_when_it_is_back() -> None:
    """The endpoint is not held up, and answers nobody; the cancel is tried until it is taken."""
    async with client(FakeDesk([], store_is_away=True)) as c, paying(c.app.door.farewells):
        request_id = await leave(c)
        await eventually(lambda: len(c.desk.tried) > 5)
        assert (c.desk.cancelled, c.app.door.open) == ([], 0)

        c.desk.store_is_away = False
        await eventually(lambda: not c.app.door.farewells.owed)

    assert c.desk.cancelled == [request_id]


async def test_a_refused_admission_is_cancelled_in_case_it_was_none() -> None:
    """The store was away, so nobody knows whether it admitted: nobody will ask for it, unless
    it has a name."""
    desk = FakeDesk(error=StoreUnavailable("no store"), store_is_away=True)
    async with client(desk) as c:
        refused = await c.post("/api/chat", CHAT)
        assert c.app.door.farewells.owed == 1
        await c.post("/api/chat", CHAT, x_orion_request_id=ID)
        assert c.app.door.farewells.owed == 1

        await c.post("/api/chat", CHAT, x_orion_request_id=refused.headers["x-orion-request-id"])
        assert c.app.door.farewells.owed == 0


async def test_a_cancel_is_owed_until_the_deadline_of_the_request() -> None:
    """Its own, or the one that every request has; then the ledger has closed it anyway."""
    now_s = 1000.0
    desk = FakeDesk(store_is_away=True)
    owing = Farewells(desk.cancel, lambda: now_s)
    await owing.say("short", 5_000)
    await owing.say("long", None)
    async with paying(owing):
        await eventually(lambda: len(desk.tried) > 6)
        now_s += 6
        await eventually(lambda: owing.owed == 1)
        now_s += LONGEST_MS / 1000
        await eventually(lambda: not owing.owed)

    assert desk.cancelled == []


async def test_one_that_the_store_never_takes_keeps_no_other_waiting() -> None:
    """They take turns."""
    taken: list[str] = []

    async def cancel(request_id: str) -> str:
        if request_id == "spoilt":
            raise StoreUnavailable("WRONGTYPE")
        taken.append(request_id)
        return "PENDING"

    owing = Farewells(cancel)
    for request_id in ("spoilt", "a", "b"):
        owing.owe(request_id, None)
    async with paying(owing):
        await eventually(lambda: len(taken) == 2)

    assert (taken, owing.owed) == (["a", "b"], 1)


async def test_no_more_is_owed_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is given up."""
    monkeypatch.setattr(farewells, "MOST_OWED", 2)
    desk = FakeDesk()
    owing = Farewells(desk.cancel)
    for request_id in ("a", "b", "c"):
        owing.owe(request_id, None)
    async with paying(owing):
        await eventually(lambda: not owing.owed)

    assert desk.cancelled == ["b", "c"]


async def test_the_end_says_what_is_still_owed(caplog: pytest.LogCaptureFixture) -> None:
    """One line; and no task is left behind, which the tests' own rules look after."""
    desk = FakeDesk(store_is_away=True)
    owing = Farewells(desk.cancel)
    with caplog.at_level(logging.WARNING):
        async with paying(owing):
            await owing.say("a", None)
            await eventually(lambda: len(desk.tried) > 1)

    assert "1 requests of clients that left" in caplog.text
