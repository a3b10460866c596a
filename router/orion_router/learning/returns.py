"""Whether conversations go on, and after how long (pure).

A prompt that begins with one that was answered lately is a return. Their share among the requests
of a class is the chance that an answer is followed by another turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_router.policy.beliefs import Chain

PRIOR_SHARE = 0.5
PRIOR_PAUSE_S = 60.0
MEMORY = 100.0
"""Requests that an average looks back over."""
PRIOR_WEIGHT = 10.0
LONGEST = 4.0
"""A pause counts as at most so many times the mean: people leave and come back."""
PAUSE_S = ""
"""In the place of a class in the store: the mean pause."""
CLASSES = ("interactive", "batch")
LONGEST_S = 3600.0
"""A longer pause is no pause."""
REMEMBERED = 2048
"""Answered prompts that a return is looked for among; the oldest go first."""


class ReturnBook:
    """Averages with a bounded memory, that begin at a guess."""

    def __init__(self) -> None:
        self._answered: dict[str, float] = {}
        """When the answer to the prompt of this hash ended, in that order."""
        self._shares: dict[str, tuple[float, float]] = {}
        self.pause_s = PRIOR_PAUSE_S
        """From the end of an answer until the next turn begins to run."""
        self._pauses = PRIOR_WEIGHT

    def share(self, priority: str) -> float:
        """The chance that a request of this class is followed by the conversation's next turn."""
        return self._shares.get(priority, (PRIOR_SHARE, 0.0))[0]

    def answered(self, priority: str, chain: Chain, begun_s: float, ended_s: float) -> None:
        """A request ran to its end. `chain`: as of its prompt."""
        if not chain or priority not in CLASSES:
            return
        known = [name for name, _ in chain[:-1] if name in self._answered]
        share, weight = self._shares.get(priority, (PRIOR_SHARE, PRIOR_WEIGHT))
        weight = min(MEMORY, weight + 1.0)
        self._shares[priority] = share + ((1.0 if known else 0.0) - share) / weight, weight
        if known:
            self._pauses = min(MEMORY, self._pauses + 1.0)
            pause_s = min(max(0.0, begun_s - self._answered[known[-1]]), LONGEST * self.pause_s)
            pause_s = self.pause_s + (pause_s - self.pause_s) / self._pauses
            self.pause_s = min(LONGEST_S, max(1.0, pause_s))
        for name in known:
            del self._answered[name]
        self._answered.pop(chain[-1][0], None)
        self._answered[chain[-1][0]] = ended_s
        while len(self._answered) > REMEMBERED:
            del self._answered[next(iter(self._answered))]

    def dump(self) -> dict[str, Any]:
        """For the store."""
        shares = {c: [round(share, 3), round(w, 1)] for c, (share, w) in self._shares.items()}
        return {PAUSE_S: [round(self.pause_s, 1), round(self._pauses, 1)], **shares}

    def load(self, document: Mapping[str, Any]) -> None:
        """The inverse of dump. Raises ValueError and TypeError for another shape: then nothing of
        it was taken."""
        told: list[tuple[str, float, float]] = []
        for name in (PAUSE_S, *CLASSES):
            if name in document:
                figure, weight = document[name]
                told.append((name, float(figure), float(weight)))
        for name, figure, weight in told:
            if not 0 < weight <= MEMORY:
                continue
            if name == PAUSE_S and 1.0 <= figure <= LONGEST_S:
                self.pause_s, self._pauses = figure, weight
            elif name != PAUSE_S and 0.0 <= figure <= 1.0:
                self._shares[name] = figure, weight
