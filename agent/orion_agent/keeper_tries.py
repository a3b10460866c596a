"""What failed, and when it may be tried again (reads the clock that it is given)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0
SPREAD = 0.3
"""Boards that failed together do not all come back to the registry together."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last of `count` tries."""

    count: int
    why: str
    until_s: float


class Tries:
    """Failures by (lane, name)."""

    def __init__(self, clock: Callable[[], float], seed: int | None = None) -> None:
        self._clock = clock
        self._random = random.Random(seed)
        self._failures: dict[tuple[str, str], Failure] = {}

    def failed(self, lane: str, name: str, why: str) -> float:
        """Note a failure; returns the seconds until the next try."""
        before = self._failures.get((lane, name))
        count = before.count + 1 if before else 1
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(count - 1, 16), LONGEST_PAUSE_S)
        pause_s *= 1 + SPREAD * self._random.random()
        self._failures[lane, name] = Failure(count, why[:500], self._clock() + pause_s)
        return pause_s

    def worked(self, lane: str, name: str) -> None:
        """It is well again."""
        self._failures.pop((lane, name), None)

    def why(self, lane: str, name: str) -> str:
        """Why the last try failed; empty: it did not."""
        failure = self._failures.get((lane, name))
        return failure.why if failure else ""

    @property
    def held(self) -> Mapping[tuple[str, str], str]:
        """Those whose next try is not due yet."""
        now = self._clock()
        return {key: f.why for key, f in self._failures.items() if now < f.until_s}

    def keep(self, names: Iterable[str]) -> None:
        """Forget all others: they no longer concern anybody."""
        known = set(names)
        self._failures = {key: f for key, f in self._failures.items() if key[1] in known}
