"""Percentiles, differences and verdicts (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all are not above; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Added:
    """What stands between: a percentile through it minus the same percentile without it, in ms."""

    p50_ms: float
    p99_ms: float


def added(through: Sequence[float], direct: Sequence[float]) -> Added:
    """Of samples that were taken in the same seconds."""
    return Added(*(percentile(through, p) - percentile(direct, p) for p in (50, 99)))


def middle(rounds: Sequence[Added]) -> Added:
    """The median of several rounds, each percentile by itself: one bad second spoils one round."""
    return Added(median(r.p50_ms for r in rounds), median(r.p99_ms for r in rounds))


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `target`: not above (or, with `at_least`, not below) this."""

    name: str
    value: float
    unit: str
    target: float | None = None
    stretch: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """`stretch`, `pass`, `MISS`, or nothing where there is no target."""
        if self.target is None:
            return ""
        if self.stretch is not None and self._within(self.stretch):
            return "stretch"
        return "pass" if self._within(self.target) else "MISS"

    def _within(self, bound: float) -> bool:
        return self.value >= bound if self.at_least else self.value <= bound
