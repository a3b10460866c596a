"""The boards that a plan may use (pure)."""

from __future__ import annotations

from orion_contracts.config import Routing
from orion_router.fleet import Fleet, Node


def pool(fleet: Fleet, routing: Routing) -> tuple[Node, ...]:
    """Eligible boards; under LeastBad, when there is none, the one least beyond its thresholds."""
    if fleet.eligible or routing.when_no_node_eligible != "LeastBad":
        return fleet.eligible
    gated = [n for n in fleet.nodes.values() if n.reasons and set(n.reasons) <= {"hot", "ram"}]
    return tuple(sorted(gated, key=lambda node: (node.strain, node.name))[:1])
