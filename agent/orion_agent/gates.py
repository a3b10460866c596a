"""The board's own health gates (pure): may a request that was put straight on its stream run here?

The customer's invariants: above 75 degrees or 90 % of RAM nothing new, until 70 degrees and 85 %.
A temperature that could never be read does not close the gate; one that was lost for 15 s does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orion_contracts.config import Thresholds
from orion_contracts.health import NodeHealth

TEMPERATURE_GONE_S = 15.0


@dataclass(frozen=True, slots=True)
class Gates:
    """Which gates are closed, and what it takes to tell."""

    hot: bool = False
    full_ram: bool = False
    blind: bool = False
    temperature_seen_s: float | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nothing new may run; empty: it may."""
        named = (("hot", self.hot), ("ram", self.full_ram), ("blind", self.blind))
        return tuple(name for name, closed in named if closed)

    def after(self, health: NodeHealth, limits: Thresholds, now_s: float) -> Gates:
        """The gates after one more report, with hysteresis."""
        new = self
        if (celsius := health.temperature_c) is not None:
            limit = limits.temperature_return_c if self.hot else limits.temperature_exclude_c
            new = replace(new, hot=celsius > limit, blind=False, temperature_seen_s=now_s)
        elif self.temperature_seen_s is not None:
            gone = now_s - self.temperature_seen_s > TEMPERATURE_GONE_S
            new = replace(new, blind=gone)
        if (percent := health.ram_used_percent) is not None:
            limit = limits.ram_return_percent if self.full_ram else limits.ram_exclude_percent
            new = replace(new, full_ram=percent > limit)
        return new
