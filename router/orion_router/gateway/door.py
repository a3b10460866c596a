"""What the endpoints share: the desk, the limits, and how many answers may be open at once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orion_contracts.limits import DEFAULT_LIMITS, Limits
from orion_router.gateway.delivery import HOLD_S
from orion_router.gateway.faults import GatewayError
from orion_router.gateway.ports import Desk

MOST_OPEN = 1024


@dataclass(slots=True)
class Door:
    """One per router."""

    desk: Desk
    limits: Limits = field(default=DEFAULT_LIMITS)
    most_open: int = MOST_OPEN
    hold_s: float = HOLD_S
    open: int = 0

    @contextmanager
    def enter(self) -> Generator[None]:
        """Count one open request. Raises GatewayError (503) when the house is full."""
        if self.open >= self.most_open:
            raise GatewayError(
                503, f"{self.most_open} requests are open here already", "too_many_open", 1
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
