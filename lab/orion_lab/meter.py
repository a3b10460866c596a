"""How much of the time a board was busy: an integral, so that short requests count too."""

from collections.abc import Callable, Generator
from contextlib import contextmanager


class BusyMeter:
    """Time during which at least one activity was going on, in the clock's own seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since_s = 0.0
        self._busy_s = 0.0
        self.active = 0

    @contextmanager
    def busy(self) -> Generator[None]:
        """One activity."""
        if self.active == 0:
            self._since_s = self._now()
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            if self.active == 0:
                self._busy_s += self._now() - self._since_s

    def drain_s(self) -> float:
        """Busy time since the last call."""
        if self.active:
            now = self._now()
            self._busy_s += now - self._since_s
            self._since_s = now
        busy_s, self._busy_s = self._busy_s, 0.0
        return busy_s
