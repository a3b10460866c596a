"""Which models requests are using, and since when none does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from orion_agent.keeper_names import canonical

MOST = 256


class Usage:
    """Counts requests in hand by model. One event loop, no locks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._used_s: dict[str, float] = {}
        self._last_s = clock()

    @contextmanager
    def of(self, model: str) -> Generator[None]:
        """A request with this model is in hand."""
        name = canonical(model)
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1
            if self._running[name] <= 0:
                del self._running[name]
            self._used_s.pop(name, None)
            self._last_s = self._used_s[name] = self._clock()
            if len(self._used_s) > MOST:
                del self._used_s[next(iter(self._used_s))]

    @property
    def busy(self) -> frozenset[str]:
        """Models of requests in hand."""
        return frozenset(self._running)

    @property
    def used_s(self) -> Mapping[str, float]:
        """When the last request of a model ended."""
        return dict(self._used_s)

    @property
    def quiet_s(self) -> float:
        """For how long no request has been in hand."""
        return 0.0 if self._running else self._clock() - self._last_s
