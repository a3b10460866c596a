"""What a cell left: the figures of its run, and what else was counted; to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orion_lab.sim.results import Classes, Latency, Result


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one cell."""

    result: Result | None = None
    """None for bounds, which are no runs."""
    extra: Mapping[str, float] = field(default_factory=dict[str, float])

    def to_wire(self) -> dict[str, Any]:
        """For JSON; samples are left out."""
        wire: dict[str, Any] = {"extra": dict(self.extra)}
        if self.result is not None:
            wire["result"] = asdict(replace(self.result, samples=()))
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Row:
        """The inverse. Raises KeyError and TypeError for another shape."""
        said = wire.get("result")
        if said is None:
            return cls(None, wire["extra"])
        latencies = {name: _classes(said[name]) for name in ("first_token", "completion")}
        values: dict[str, Any] = {**said, **latencies, "samples": ()}
        return cls(Result(**values), wire["extra"])


def _classes(said: Mapping[str, Mapping[str, float]]) -> Classes:
    return Classes(**{name: Latency(**values) for name, values in said.items()})
