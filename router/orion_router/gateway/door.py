"""What the endpoints share: the desk, the limits, and how much may be open at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import anyio.to_thread

from orion_contracts.limits import DEFAULT_LIMITS, Limits
from orion_router.gateway.bodies import Bodies, Body
from orion_router.gateway.delivery import HOLD_S
from orion_router.gateway.farewells import Farewells
from orion_router.gateway.faults import GatewayError
from orion_router.gateway.ports import Desk

MOST_OPEN = 1024
_Read = TypeVar("_Read")


def _one_at_a_time() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(1)


@dataclass(slots=True)
class Door:
    """One per router."""

    desk: Desk
    limits: Limits = field(default=DEFAULT_LIMITS)
    most_open: int = MOST_OPEN
    hold_s: float = HOLD_S
    open: int = 0
    bodies: Bodies = field(default_factory=Bodies)
    _thread: anyio.CapacityLimiter = field(default_factory=_one_at_a_time)
    farewells: Farewells = field(init=False)

    def __post_init__(self) -> None:
        self.farewells = Farewells(self.desk.cancel)

    @contextmanager
    def enter(self) -> Generator[None]:
        """Count one open answer: after the body, or those who never send theirs would take up
        all of them. Raises GatewayError (503) when the house is full."""
        self.check()
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def check(self) -> None:
        """Whether there is room for another answer. Raises GatewayError (503)."""
        if self.open >= self.most_open:
            raise GatewayError(
                503, f"{self.most_open} requests are open here already", "too_many_open", 1
            )

    def open_body(self, announced: bytes) -> Body:
        """A body within the limits. Raises GatewayError (413, 503)."""
        return self.bodies.open(self.limits.body_bytes, announced)

    async def read(self, body: Body, reader: Callable[[Body], _Read]) -> _Read:
        """What `reader` makes of a body. Large ones are read in a thread, so that the tokens of
        others go on meanwhile, and one after the other: a parsed body is larger than its bytes."""
        if not body.large:
            return reader(body)
        return await anyio.to_thread.run_sync(reader, body, limiter=self._thread)
