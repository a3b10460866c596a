"""Seconds of work that each source had lately (pure): what fairness between sources weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

HALF_LIFE_S = 300.0
MAX_SOURCES = 1024


class UsageBook:
    """Exponentially forgotten sums."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, source: str, seconds: float, now_s: float) -> None:
        """The source's work took a board so many seconds."""
        self._sums[source] = (self._of(source, now_s) + max(0.0, seconds), now_s)
        if len(self._sums) > MAX_SOURCES:
            least = min(self._sums, key=lambda name: self._of(name, now_s))
            del self._sums[least]

    def at(self, now_s: float) -> Mapping[str, float]:
        """All sources' seconds; worked out for those that are asked for."""
        return _UsageAt(self._sums, now_s)

    def _of(self, source: str, now_s: float) -> float:
        return _forgotten(self._sums.get(source, (0.0, now_s)), now_s)


class _UsageAt(Mapping[str, float]):
    def __init__(self, sums: Mapping[str, tuple[float, float]], now_s: float) -> None:
        self._sums, self._now_s = sums, now_s

    def __getitem__(self, source: str) -> float:
        return _forgotten(self._sums[source], self._now_s)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)


def _forgotten(entry: tuple[float, float], now_s: float) -> float:
    seconds, then_s = entry
    return float(seconds * 0.5 ** ((now_s - then_s) / HALF_LIFE_S))
