"""The cluster's configuration as routers and workers read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

WhenNoNodeEligible = Literal["Queue", "LeastBad", "Reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The customer's gates: above `exclude` a board gets no work until it is at `return` again."""

    temperature_exclude_c: float = 75.0
    temperature_return_c: float = 70.0
    ram_exclude_percent: float = 90.0
    ram_return_percent: float = 85.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Queueing rules; sizes in bytes, times in seconds."""

    when_no_node_eligible: WhenNoNodeEligible = "Queue"
    max_queue_requests: int = 256
    max_queue_bytes: int = 64 * 1024 * 1024
    starvation_bound_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One generation of the configuration."""

    generation: int = 0
    thresholds: Thresholds = field(default_factory=Thresholds)
    routing: Routing = field(default_factory=Routing)
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    models: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ClusterConfig:
        """Build from a document that passed config.schema.json."""
        return cls(
            generation=wire["generation"],
            thresholds=Thresholds(**wire.get("thresholds", {})),
            routing=Routing(**wire.get("routing", {})),
            nodes=wire.get("nodes", {}),
            models=tuple(wire.get("models", ())),
        )


DEFAULT_CONFIG = ClusterConfig()
