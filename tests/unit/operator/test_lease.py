"""The Lease over time, with an API server that answers, refuses and goes away."""

from __future__ import annotations

from typing import Any

import pytest

from orion_operator.api import ApiError
from orion_operator.lease import Lease
from orion_operator.leasing import LEASE_S, RENEW_S


class Leases:
    """An API server with one Lease. `away`: it does not answer."""

    namespace = "robot"

    def __init__(self) -> None:
        self.body: dict[str, Any] | None = None
        self.writes = 0
        self.away = False
        self.late: dict[str, Any] | None = None

    async def lease(self, _: str) -> dict[str, Any] | None:
        if self.away:
            raise ApiError(0, "the Kubernetes API does not answer")
        body, self.late = self.late or self.body, None
        return body

    async def write_lease(self, body: dict[str, Any], create: bool) -> dict[str, Any] | None:
        version = body["metadata"].get("resourceVersion")
        present = self.body["metadata"]["resourceVersion"] if self.body else None
        if version != present or create is (self.body is not None):
            return None
        self.writes += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.writes)}
        self.body = {**body, "metadata": metadata}
        return self.body

    @property
    def holder(self) -> str:
        return str(self.body["spec"]["holderIdentity"]) if self.body else ""


class World:
    """A clock, an API server, two operators."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.leases = Leases()
        self.one, self.two = self.operator("one"), self.operator("two")

    def operator(self, name: str) -> Lease:
        cluster: Any = self.leases
        return Lease(cluster, "orion", name, lambda: self.now_s)


async def test_the_first_one_holds_it_and_renews_seldom() -> None:
    """One write at first, one every RENEW_S."""
    world = World()
    held = [await world.one.keep(), await world.two.keep()]
    for _ in range(60):
        world.now_s += 1
        assert await world.one.keep()
        assert not await world.two.keep()

    assert (held, world.leases.holder) == ([True, False], "one")
    assert world.leases.writes == 1 + 60 // RENEW_S


async def test_a_dead_holder_is_replaced_when_its_time_is_up() -> None:
    """Not before: and what counts is for how long the other one saw nothing move."""
    world = World()
    await world.one.keep()
    assert not await world.two.keep()
    world.now_s += LEASE_S
    assert not await world.two.keep()
    world.now_s += 1
    assert await world.two.keep()

    assert world.leases.holder == "two"
    assert not await world.one.confirm()


async def test_resigning_hands_over_at_once() -> None:
    """And only what is held is given up."""
    world = World()
    await world.one.keep()
    await world.two.resign()
    assert world.leases.holder == "one"
    await world.one.resign()

    assert world.leases.holder == ""
    assert await world.two.keep()


async def test_a_clean_up_takes_it_from_whoever_holds_it() -> None:
    """The operator sees it when it looks before it writes, and waits for as long as was asked."""
    world = World()
    await world.one.keep()
    await world.operator("cleanup").seize(60)
    assert not await world.one.confirm()
    world.now_s += 60
    assert not await world.one.keep()
    world.now_s += 1
    assert await world.one.keep()


async def test_without_the_api_the_hold_runs_out() -> None:
    """Whoever cannot renew goes on for as long as nobody else may take it, and then stops."""
    world = World()
    await world.one.keep()
    world.leases.away = True
    world.now_s += LEASE_S - 0.1
    assert await world.one.keep()
    world.now_s += 0.2

    with pytest.raises(ApiError):
        await world.one.keep()
    assert not world.one.held


async def test_of_two_that_take_it_together_one_gets_it() -> None:
    """The version that was read decides."""
    world = World()
    await world.one.keep()
    await world.one.resign()
    body = world.leases.body

    assert await world.one.confirm()
    world.leases.late = body  # what the other one read a moment before
    assert not await world.two.confirm()
    assert world.leases.holder == "one"
