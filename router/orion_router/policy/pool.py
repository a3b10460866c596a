"""The boards that a plan may use (pure)."""

from __future__ import annotations

from orion_contracts.config import Routing
from orion_router.fleet import Fleet, Node


def pool(fleet: Fleet, routing: Routing) -> tuple[Node, ...]:
    """Eligible boards; under LeastBad, when there is none, the coolest of those only gated."""
    if fleet.eligible or routing.when_no_node_eligible != "LeastBad":
        return fleet.eligible
    gated = [n for n in fleet.nodes.values() if n.reasons and set(n.reasons) <= {"hot", "ram"}]
    return tuple(sorted(gated, key=_discomfort)[:1])


def _discomfort(node: Node) -> tuple[float, str]:
    health = node.health
    celsius = (health.temperature_c or 0.0) if health else 0.0
    percent = (health.ram_used_percent or 0.0) if health else 0.0
    return max(celsius / 75.0, percent / 90.0), node.name
