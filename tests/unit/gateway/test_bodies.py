"""Request bodies: bounded together, and read where they keep nobody waiting."""

from __future__ import annotations

import base64
import gc
import re
import threading
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import Limits
from orion_router.gateway import generating
from orion_router.gateway.bodies import LARGE_BYTES, Bodies
from orion_router.gateway.body import read_object
from orion_router.gateway.faults import GatewayError
from orion_router.gateway.images import is_base64
from unit.gateway.gateway_harness import CHAT, HELLO, FakeDesk, client, eventually

MIB = 1024 * 1024
LARGE = {**CHAT, "junk": "x" * (LARGE_BYTES + 1)}


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/chat", ["error"]),
        ("/api/show", ["error"]),
        ("/v1/chat/completions", ["message", "type", "param", "code"]),
        ("/v1/requests", ["error", "code"]),
    ],
)
async def test_many_slow_uploads_stay_within_the_bound(path: str, shape: list[str]) -> None:
    """The seventh megabyte is one too many: 503 with Retry-After in the caller's own shape; what
    has gone gives its room back; small requests are served all the while."""
    async with client(most_bytes=8 * MIB) as c:
        parts = [b"x" * MIB]
        slow = [c.open("POST", path, parts=parts, unfinished=True) for _ in range(9)]
        await eventually(lambda: all(exchange.incoming.empty() for exchange in slow))
        refused = [await exchange.ended() for exchange in slow[6:]]

        assert c.app.door.bodies.held == 6 * MIB
        for exchange in refused:
            assert (exchange.status, exchange.headers["retry-after"]) == (503, "5")
            said = exchange.document
            assert list(said["error"] if "message" in shape else said) == shape
            assert b"ask again" in exchange.body
            assert "connection" not in exchange.headers  # it may send its rest and read the answer
        assert (await c.post("/api/chat", CHAT)).status == 200

        for exchange in slow[:6]:
            exchange.leave()
            await exchange.ended()
        assert c.app.door.bodies.held == 0
        assert (await c.post("/api/chat", LARGE)).status == 200


async def test_what_is_announced_too_large_is_refused_before_it_is_sent() -> None:
    """Without reading; announcing takes no room from others."""
    async with client(most_bytes=2 * MIB) as c:
        exchange = c.open("POST", "/api/chat", headers={"content-length": str(9 * MIB)}, parts=[])
        await exchange.ended()

        assert (exchange.status, c.app.door.bodies.held) == (503, 0)
        assert (await c.post("/api/chat", CHAT)).status == 200


@pytest.mark.parametrize("path", ["/api/chat", "/v1/requests", "/api/show"])
async def test_what_is_announced_larger_than_any_body_may_be_is_a_413(path: str) -> None:
    """At once, and without a Retry-After: it would be as large the next time. The announcement
    alone is enough, so nothing of it has to come."""
    async with client(most_bytes=2 * MIB) as c:
        for size in (11_000_000, 10**17):
            said = {"content-length": str(size)}
            exchange = await c.open("POST", path, headers=said, parts=[]).ended()

            assert (exchange.status, "retry-after" in exchange.headers) == (413, False)


async def test_a_waiting_answer_holds_no_body() -> None:
    """Once its request is in the ledger, a body counts no more: answers may take long."""
    async with client(FakeDesk([])) as c:
        waiting = [
            c.open("POST", "/api/chat", CHAT),
            c.open("POST", "/v1/requests?wait=60", CHAT),
        ]
        await eventually(lambda: len(c.desk.waits) == 2)

        assert (c.app.door.open, c.app.door.bodies.held) == (2, 0)
        for follower in c.desk.followers:
            for event in HELLO:
                follower.feed(event)
        for exchange in waiting:
            await exchange.ended()


async def test_others_are_served_while_a_large_body_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its reader stands still in its thread until a small request has had its answer."""
    served, loop_thread = threading.Event(), threading.get_ident()
    stood: list[bool] = []

    def slowly(raw: bytes, limits: Limits) -> dict[str, Any]:
        if len(raw) > LARGE_BYTES:
            stood.append(threading.get_ident() != loop_thread and served.wait(4))
        return read_object(raw, limits)

    monkeypatch.setattr(generating, "read_object", slowly)
    async with client() as c:
        large = c.open("POST", "/api/chat", LARGE)
        small = await c.post("/api/chat", CHAT)
        served.set()
        await large.ended()

    assert (small.status, large.status, stood) == (200, 200, [True])


@pytest.mark.parametrize("enabled", [True, False])
def test_collecting_garbage_is_left_as_it_was(enabled: bool) -> None:
    """Also after a body that is no JSON."""
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        read_object(orjson.dumps(LARGE), Limits())
        assert gc.isenabled() is enabled
        with pytest.raises(InvalidRequest, match="JSON"):
            read_object(b"[" + b" " * LARGE_BYTES, Limits())
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


@given(st.lists(st.integers(0, 150_000), max_size=8), st.binary(min_size=1, max_size=8))
def test_a_body_is_the_same_however_it_is_cut(sizes: list[int], salt: bytes) -> None:
    """Every part, once, in order; and all of its bytes count until it is closed."""
    bodies = Bodies()
    parts = [(salt + bytes([i])) * size for i, size in enumerate(sizes)]
    with bodies.open(MIB) as body:
        for part in parts:
            body.add(part)

        assert bodies.held == body.size == sum(map(len, parts))
        assert body.take() == b"".join(parts)
        assert body.take() == b""
    assert bodies.held == 0


def test_many_tiny_parts_take_no_more_than_their_bytes() -> None:
    """A byte at a time is kept as a few pieces, not as a list of a million objects."""
    with Bodies().open(MIB) as body:
        for _ in range(300_000):
            body.add(b"x")

        assert len(body._parts) < 10  # pyright: ignore[reportPrivateUsage]
        assert body.take() == b"x" * 300_000


def test_large_bodies_leave_room_for_small_ones() -> None:
    """A quarter of the bound is not for them."""
    bodies = Bodies(4 * MIB)
    with bodies.open(MIB) as large, bodies.open(MIB) as small, bodies.open(MIB) as another:
        large.add(b"x" * 3 * MIB)
        with pytest.raises(GatewayError, match="ask again"):
            another.add(b"x" * (LARGE_BYTES + 1))
        small.add(b"x" * 1000)

        assert bodies.held == 3 * MIB + 1000


RIGHT = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@given(
    st.binary(max_size=40), st.text("A=\r\n+é ", max_size=3), st.integers(0, 60),
    st.integers(1, 9),
)  # fmt: skip
def test_an_image_in_pieces_is_judged_as_the_whole(
    image: bytes, more: str, at: int, piece: int
) -> None:
    """Whatever is in it, and wherever the pieces end; line ends do not count."""
    text = base64.b64encode(image).decode()
    text = text[:at] + more + text[at:]
    bare = text.replace("\r", "").replace("\n", "")

    assert is_base64(text, piece) is (RIGHT.fullmatch(bare) is not None)
