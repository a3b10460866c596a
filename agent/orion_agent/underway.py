"""How far the requests are that run here, for the health report."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from orion_contracts.health import Progress

Look = Callable[[], Progress]
"""How far one attempt is now."""


class Underway:
    """What runs, by request. One event loop, no locks."""

    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}

    @contextmanager
    def of(self, request_id: str, look: Look) -> Generator[None]:
        """The attempt runs for as long as the block lasts."""
        self._looks[request_id] = look
        try:
            yield
        finally:
            if self._looks.get(request_id) is look:
                del self._looks[request_id]

    def report(self) -> tuple[Progress, ...]:
        """All of them, in the order in which they began."""
        return tuple(look() for look in self._looks.values())
