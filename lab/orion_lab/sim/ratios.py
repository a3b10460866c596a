"""Paired comparisons: geometric means of per-seed ratios, and how far they spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, nan, sqrt

from orion_lab.sim.results import Result

Figure = Callable[[Result], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A geometric mean of paired ratios."""

    mean: float
    spread: float
    """Geometric standard deviation between seeds: 1.1 means about ±10 %; 1 with one seed."""
    lowest: float
    highest: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} (x{self.spread:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of values that belong to the same seeds; NaN if one is not above zero.

    Raises:
        ValueError: the two are not of the same length.
    """
    pairs = list(zip(ours, theirs, strict=True))
    if not pairs or any(mine <= 0.0 or other <= 0.0 for mine, other in pairs):
        return Ratio(nan, nan, nan, nan, len(pairs))
    logs = [log(mine / other) for mine, other in pairs]
    mean = sum(logs) / len(logs)
    variance = sum((each - mean) ** 2 for each in logs) / max(1, len(logs) - 1)
    return Ratio(exp(mean), exp(sqrt(variance)), exp(min(logs)), exp(max(logs)), len(logs))


def compared(ours: Sequence[Result], theirs: Sequence[Result], figure: Figure) -> Ratio:
    """Of a figure of paired results.

    Raises:
        ValueError: the results are not of the same seeds, workload and fleet.
    """
    for mine, other in zip(ours, theirs, strict=True):
        if (mine.seed, mine.workload, mine.fleet) != (other.seed, other.workload, other.fleet):
            raise ValueError(f"not paired: {mine.seed, mine.workload} {other.seed, other.workload}")
    return ratio([figure(each) for each in ours], [figure(each) for each in theirs])


def over_seeds(results: Sequence[Result], figure: Figure) -> float:
    """The arithmetic mean."""
    return sum(map(figure, results)) / len(results)
