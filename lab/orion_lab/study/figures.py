"""The figures that tables and targets speak of, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from orion_lab.sim.ratios import Ratio, ratio
from orion_lab.sim.results import Result
from orion_lab.study.cells import Cell, Group
from orion_lab.study.saved import Saved

Figure = Callable[[Result], float]
FIGURES: Final[dict[str, Figure]] = {
    "TTFT": lambda each: each.first_token.overall.mean,
    "TTFT p50": lambda each: each.first_token.overall.p50,
    "TTFT p95": lambda each: each.first_token.overall.p95,
    "TTFT p99": lambda each: each.first_token.overall.p99,
    "interactive TTFT": lambda each: each.first_token.interactive.mean,
    "interactive p95": lambda each: each.first_token.interactive.p95,
    "completion": lambda each: each.completion.overall.mean,
    "completion p50": lambda each: each.completion.overall.p50,
    "completion p95": lambda each: each.completion.overall.p95,
    "completion p99": lambda each: each.completion.overall.p99,
    "makespan": lambda each: each.makespan_s,
    "loading": lambda each: each.loading_s,
    "loads per 100": lambda each: each.loads_per_100,
    "disk loads per 100": lambda each: each.disk_loads_per_100,
    "prefill saved": lambda each: each.prefill_saved_s,
    "node-s above 80 °C": lambda each: each.hot_node_s,
    "throttled": lambda each: each.throttled_s,
    "Jain": lambda each: each.jain,
    "longest wait": lambda each: each.longest_wait_s,
    "J per request": lambda each: each.joules / each.requests,
    "requests": lambda each: each.requests,
}


def of_seeds(
    saved: Saved, group: Group, policy: str, figure: str, seeds: Sequence[int]
) -> list[float]:
    """The figure of every seed.

    Raises:
        KeyError: a cell was not run.
    """
    values: list[float] = []
    for seed in seeds:
        found = saved[Cell(group, policy, seed)].result
        assert found is not None
        values.append(FIGURES[figure](found))
    return values


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def against(
    saved: Saved, group: Group, policy: str, other: str, figure: str, seeds: Sequence[int]
) -> Ratio:
    """The first over the other, seed by seed."""
    return ratio(
        of_seeds(saved, group, policy, figure, seeds), of_seeds(saved, group, other, figure, seeds)
    )
