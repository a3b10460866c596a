"""Entries on a board's own stream, with no router, and while the board may not work."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from integration.producers import hostile
from integration.producers.customer import Producer, node_stream, request
from orion_lab.stack import Stack
from servers.needs import demand

NODE = node_stream("pi-a")


@pytest.fixture(scope="module")
def alone() -> Iterator[Stack]:
    """A store and one board: no router was ever here."""
    demand("valkey9")
    with Stack(["pi-a:zero"], routers=0) as stack:
        yield stack


def test_without_a_router_a_boards_stream_is_served(alone: Stack) -> None:
    """What was added before the worker came, and after; valid and invalid."""
    with alone.client() as store:
        producer = Producer(store)
        early = request()
        producer.add(early, NODE)
        assert producer.wait(early["callback"], within_s=20)["response"]
        for kind in ("wrong version", "empty messages", "model of 100,000 letters"):
            asked, raw = hostile.entry(hostile.ANSWERED[kind])
            producer.add(raw, NODE)
            assert producer.wait(asked["callback"])["error"]
        many = [request(stream=True, options={"num_predict": 2}) for _ in range(20)]
        for asked in many:
            producer.add(asked, NODE, "data")
        for asked in many:
            assert producer.wait(asked["callback"])["response"]
        assert store.xlen(NODE) == 0


def test_a_gated_boards_entries_are_moved(system: Stack, producer: Producer) -> None:
    """Above 75 degrees the board hands them to the router, which runs them on another one."""
    board = system.boards["pi-a"]
    board.set_fault(temperature_c=80.0)
    try:
        system.wait_until(lambda: "hot" in _reasons(system), "pi-a is gated", 15)
        _wait_gate(system)
        asked = request()
        entry = producer.add(asked, NODE)
        answer = producer.wait(asked["callback"])
        assert answer["node"] == "pi-b"
        assert producer.is_settled(entry, NODE)
        refused = request(version="2.0")
        producer.add(refused, NODE)
        assert producer.wait(refused["callback"])["error"]
    finally:
        board.clear_faults()
    system.wait_until(lambda: not _reasons(system), "pi-a is open again", 15)


def _reasons(system: Stack) -> list[str]:
    return list(system.nodes()["pi-a"]["reasons"])


def _wait_gate(system: Stack) -> None:
    """Until the worker itself says that its gate is closed."""
    deadline = time.monotonic() + 10
    while "hot" not in system.http.get(f"{system.worker_urls['pi-a']}/health").text:
        assert time.monotonic() < deadline, "the worker did not close its gate"
        time.sleep(0.02)


@pytest.mark.slow
def test_what_a_dead_board_left_is_moved(system: Stack, producer: Producer) -> None:
    """An entry on the stream of a board that went away is served by another board (30 s)."""
    stopped = "worker-pi-b"
    system.stop(stopped)
    try:
        asked = request()
        producer.add(asked, node_stream("pi-b"))
        answer = producer.wait(asked["callback"], within_s=50)
        assert answer["node"] == "pi-a"
    finally:
        system.restart(stopped)
        system.wait_ready()
