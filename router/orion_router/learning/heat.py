"""Where each board's temperature goes under load and idle, by the slopes of its reports (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from orion_router.fleet import Node
from orion_router.policy.heat import TAU_S, Climate

WEIGHT = 0.2
STEADY_S = 10.0
"""A slope counts when the board was busy, or idle, for so long."""
WARMEST_C, COOLEST_C = 130.0, -20.0


class HeatBook:
    """One climate per board, once both of its sides were seen."""

    def __init__(self) -> None:
        self._settles: dict[str, float] = {}
        self._rests: dict[str, float] = {}
        self._since: dict[str, tuple[bool, float]] = {}
        self._heard: dict[str, float] = {}
        self.climates: dict[str, Climate] = {}

    def looked(self, nodes: Mapping[str, Node], busy: frozenset[str], now_s: float) -> None:
        """New reports. `busy`: boards that hold work."""
        for name, node in nodes.items():
            works = name in busy
            before = self._since.get(name)
            if before is None or before[0] != works:
                self._since[name] = (works, now_s)
                continue
            if now_s - before[1] < STEADY_S or self._heard.get(name) == node.heard_s:
                continue
            self._heard[name] = node.heard_s
            celsius = node.health.temperature_c if node.health else None
            if celsius is None or node.slope_c_per_s == 0.0:
                continue
            goes_to_c = celsius + node.slope_c_per_s * TAU_S
            if not COOLEST_C < goes_to_c < WARMEST_C:
                continue
            book = self._settles if works else self._rests
            known = book.get(name)
            book[name] = goes_to_c if known is None else known + WEIGHT * (goes_to_c - known)
            if name in self._settles:
                rests_c = self._rests.get(name, min(celsius, self._settles[name]) - 20.0)
                self.climates[name] = Climate(self._settles[name], rests_c)

    def forget(self, present: frozenset[str]) -> None:
        """Boards that are no more."""
        for book in (self._settles, self._rests, self._since, self._heard, self.climates):
            for name in [each for each in book if each not in present]:
                del book[name]
