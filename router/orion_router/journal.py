"""What was decided lately, and when: kept in memory, for people who ask."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from orion_router.policy import Decision

MOST = 256


@dataclass(frozen=True, slots=True)
class Noted:
    """A decision and the Unix time at which it was carried out."""

    at_s: float
    decision: Decision


class Journal:
    """The last decisions of a planner. They end with it: what became of a request is in the
    ledger."""

    def __init__(self, clock_s: Callable[[], float] = time.time) -> None:
        self._clock_s = clock_s
        self._noted: deque[Noted] = deque(maxlen=MOST)
        self.passed: Counter[str] = Counter()
        """How often a board was passed over, by the word that says why."""

    def note(self, decision: Decision) -> None:
        """It was carried out just now."""
        self._noted.append(Noted(self._clock_s(), decision))
        for each in decision.candidates:
            if each.reason:
                self.passed[each.reason] += 1

    def recent(self, limit: int, request_id: str = "") -> list[Noted]:
        """The newest first, at most `limit`; of one request, where it is named."""
        found = [
            each
            for each in reversed(self._noted)
            if not request_id or each.decision.request_id == request_id
        ]
        return found[:limit]
