"""The targets of the study, as data: what is compared where, and what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Final, Literal

from orion_lab.study.cells import Group
from orion_lab.study.contenders import CHWBL, GATED, HERD, LC, STICKY
from orion_lab.study.loads import FROZEN

How = Literal["ratio", "totals", "value", "bound"]
MAKESPAN_BOUND, ANNEALED = "makespan_s", "annealed_first_token_s"
_BOUNDS: Final = {MAKESPAN_BOUND: "the least possible", ANNEALED: "annealed with foresight"}


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of ours in one group. `how`: the geometric mean of paired ratios, a ratio of sums
    (for figures that may be zero), the figure itself, or its ratio to a bound."""

    group: Group
    figure: str
    wanted: float
    stretch: float = nan
    other: str = ""
    how: How = "ratio"
    at_least: bool = False

    @property
    def text(self) -> str:
        """For people."""
        other = _BOUNDS.get(self.other, self.other)
        against = f" / {other}" if other else ""
        return f"{self.group}: {self.figure}{against}"

    def kept(self, measured: float, wanted: float) -> bool:
        """Whether the measured value is as wanted; NaN is not."""
        return measured >= wanted if self.at_least else measured <= wanted


def _on(
    workload: str, figure: str, other: str, wanted: dict[str, float],
    stretch: dict[str, float] | None = None, *, placed: bool = False, how: How = "ratio",
) -> list[Target]:  # fmt: skip
    """The same comparison on several fleets."""
    return [
        Target(Group(workload, fleet, placed), figure, value, (stretch or {}).get(fleet, nan),
               other, how)
        for fleet, value in wanted.items()
    ]  # fmt: skip


def _same(value: float, fleets: str = "abc") -> dict[str, float]:
    return dict.fromkeys(fleets, value)


def _least(figure: str, wanted: float, stretch: float) -> list[Target]:
    return [
        Target(Group("chat", fleet), figure, wanted, stretch, how="value", at_least=True)
        for fleet in "abc"
    ]


TARGETS: Final = [
    *_on("chat", "TTFT", LC, {"a": 0.70, "b": 0.70, "c": 0.60}, {"a": 0.60, "b": 0.60, "c": 0.50}),
    *_on("chat", "TTFT p95", LC, _same(0.60), _same(0.50)),
    *_on("burst", "TTFT", LC, {"a": 0.82, "b": 0.65, "c": 0.70}, {"a": 0.70}),
    *_on("burst", "makespan", LC, {"a": 0.90, "b": 0.50, "c": 0.70}, {"a": 0.80}),
    *_on("mixed", "interactive TTFT", LC, _same(0.65), _same(0.55)),
    *_on("mixed", "interactive p95", LC, _same(0.55), _same(0.45)),
    *_on("chat", "TTFT", CHWBL, _same(0.70), _same(0.60)),
    *_on("burst", "makespan", CHWBL, _same(0.80), _same(0.65)),
    *_on("chat", "TTFT", STICKY, {"a": 0.80, "b": 0.55, "c": 0.25}, {"a": 0.65}),
    *_on("burst", "TTFT", STICKY, {"a": 0.80, "b": 0.55, "c": 0.25}, {"a": 0.65}),
    *_on("chat", "TTFT", STICKY, _same(0.88), _same(0.75), placed=True),
    *_on("burst", "TTFT", STICKY, _same(0.88), _same(0.75), placed=True),
    *_on("chat", "TTFT", HERD, _same(1.0), _same(0.9), placed=True),
    *_on("chat", "TTFT p95", HERD, _same(0.80), _same(0.70), placed=True),
    *_on("burst", "makespan", MAKESPAN_BOUND, {"a": 1.25, "b": 1.40}, {"a": 1.12, "b": 1.22},
         how="bound"),
    *_on("burst", "TTFT", ANNEALED, _same(1.35, "ab"), _same(1.2, "ab"), how="bound"),
    *_on(FROZEN, "TTFT", ANNEALED, {"a": 1.6, "b": 2.0}, {"a": 1.3, "b": 1.5}, how="bound"),
    *_on(FROZEN, "TTFT", LC, {"a": 0.45, "b": 0.70}, {"a": 0.30, "b": 0.50}),
    *_on("hot", "node-s above 80 °C", LC, _same(0.03), _same(0.01), how="totals"),
    *_on("hot", "node-s above 80 °C", GATED, _same(0.10), _same(0.03), how="totals"),
    *_on("hot", "TTFT", GATED, _same(1.0), _same(0.85)),
    *_on("hot", "TTFT p95", GATED, _same(0.70), _same(0.60)),
    *_least("Jain", 0.98, 0.99),
    *_on("chat", "longest wait", LC, _same(0.75), _same(0.50)),
]  # fmt: skip
