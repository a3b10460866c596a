"""The planner's upkeep: what it takes for a step of the store's clock, and what it does not."""

from __future__ import annotations

from typing import Any, cast

import pytest

from orion_contracts.ledger import Ledger, Swept
from orion_router import upkeep
from orion_router.lease import PlannerLease
from orion_router.upkeep import DOUBTS, Upkeep


class World:
    """A ledger and a lease over one clock: `now_s` passes for all, `step_ms` only for the store."""

    def __init__(self) -> None:
        self.now_s, self.step_ms, self.last_ms = 1000.0, 0, 0
        self.epoch = "1"
        self.expected: list[int | None] = []
        self.steadied: list[int] = []

    def monotonic(self) -> float:
        """The process's clock."""
        return self.now_s

    @property
    def held(self) -> bool:
        """Whether the lease is held."""
        return self.epoch != ""

    async def clock_ms(self) -> int:
        """The ledger's clock."""
        return round(self.now_s * 1000) + self.step_ms

    async def grace(self, _: str) -> bool:
        """Leases begin anew."""
        return True

    async def sweep(self, _: str, expected: int | None) -> Swept:
        """As the library judges it."""
        self.expected.append(expected)
        now = await self.clock_ms()
        reckoned = expected if expected is not None else (self.last_ms or now)
        state = "JUMP" if abs(now - reckoned) > 2000 else "OK"
        return Swept(state, now, self.last_ms)

    async def steady(self, _: str, true_ms: int) -> bool:
        """The ledger's clock goes on at `true_ms`."""
        self.steadied.append(true_ms)
        return True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose clock the upkeep reads."""
    made = World()
    monkeypatch.setattr(upkeep, "time", made)
    return made


def keeper(world: World) -> Upkeep:
    """The upkeep of one router."""
    return Upkeep(cast(Ledger, cast(Any, world)), cast(PlannerLease, cast(Any, world)))


async def test_seconds_without_a_planner_are_no_step(world: World) -> None:
    """A standby that looked at the clock takes over after a silence and steps nothing."""
    mine = keeper(world)
    await mine.observe()
    world.last_ms = await world.clock_ms()
    world.now_s += 30

    await mine.tick()

    assert world.steadied == []


async def test_a_step_during_the_takeover_is_seen(world: World) -> None:
    """The store came back an hour ahead while nobody planned: the ledger's clock goes on."""
    mine = keeper(world)
    await mine.observe()
    world.now_s += 3
    true_ms = await world.clock_ms()
    world.step_ms = 3_600_000

    await mine.tick()

    assert world.steadied == [true_ms]


async def test_a_standby_does_not_believe_a_step_at_once(world: World) -> None:
    """It may be one that the planner has not corrected yet, and the planner may die now."""
    mine = keeper(world)
    await mine.observe()
    world.step_ms = -3_600_000
    await mine.observe()

    await mine.tick()

    assert len(world.steadied) == 1


async def test_a_standby_believes_what_stays(world: World) -> None:
    """When the planner lives with the new time for long, it is the ledger's time."""
    mine = keeper(world)
    await mine.observe()
    world.step_ms = 60_000
    for _ in range(DOUBTS + 1):
        await mine.observe()

    await mine.tick()

    assert world.steadied == []
