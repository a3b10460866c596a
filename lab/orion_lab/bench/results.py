"""What a run found, by section, and how rounds become figures."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from orion_lab.bench.figures import Figure, middle
from orion_lab.bench.measures import Latency, Throughput

LATENCY = "added time to first token"
RATE = "streamed 16-token requests"
MEMORY = "resident memory"
WRITES = "store"
P99_MS = 8.0
MANY = 16
"""The concurrency at which peers are measured and memory is filled."""


@dataclass
class Results:
    """Figures by section, in order, and what could not be had."""

    sections: dict[str, list[Figure]] = field(default_factory=dict[str, list[Figure]])
    notes: list[str] = field(default_factory=list[str])
    missing_required: list[str] = field(default_factory=list[str])
    floor: dict[int, Throughput] = field(default_factory=dict[int, Throughput])

    def add(self, section: str, *figures: Figure) -> None:
        """Append to a section."""
        self.sections.setdefault(section, []).extend(figures)

    def lack(self, name: str, why: str) -> None:
        """Something could not be measured here."""
        self.notes.append(f"{name} was not measured: {why}")
        if name in os.environ.get("ORION_REQUIRE", "").split(","):
            self.missing_required.append(name)

    @property
    def missed(self) -> list[Figure]:
        """Figures beyond their target."""
        return [f for each in self.sections.values() for f in each if f.verdict == "MISS"]


def latency_figures(
    name: str, rounds: Sequence[Latency], target: float | None = None, stretch: float | None = None
) -> tuple[Figure, Figure]:
    """The two percentiles: the median of the rounds, which the note names."""
    mid = middle([r.added for r in rounds])
    every = ", ".join(f"{r.added.p50_ms:.2f}" for r in rounds)
    p99_target = None if target is None else P99_MS
    return (
        Figure(f"{name}, p50", mid.p50_ms, "ms", target, stretch, note=f"rounds: {every}"),
        Figure(f"{name}, p99", mid.p99_ms, "ms", p99_target),
    )


def say(text: str) -> None:
    """What is going on, for who waits."""
    print(f"  … {text}", file=sys.stderr, flush=True)


def mid(values: Sequence[float]) -> float:
    """The median."""
    return median(values)
