"""`/v1/nodes`: every board, whether it may take work, and why not (pure)."""

from __future__ import annotations

from typing import Any

from orion_router.fleet import Fleet, Node


def nodes(fleet: Fleet) -> dict[str, Any]:
    """All boards by name."""
    return {"nodes": [_node(node) for _, node in sorted(fleet.nodes.items())]}


def _node(node: Node) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": node.name,
        "state": node.state,
        "eligible": node.eligible,
        "reasons": list(node.reasons),
        "draining": node.draining,
        "inflight": sorted(node.inflight),
        "age_s": round(node.age_s, 1),
    }
    if (health := node.health) is not None:
        percent = health.ram_used_percent
        described |= {
            "class": node.node_class,
            "slots": node.slots,
            "running": health.running,
            "temperature_c": health.temperature_c,
            "throttled": health.throttled,
            "power_w": health.power_w,
            "ram_used_percent": None if percent is None else round(percent, 1),
            "resident": [model.name for model in health.resident],
            "loading": list(health.loading),
            "models": [model.name for model in health.models],
            "engine": {
                "reachable": health.engine.reachable,
                "version": health.engine.version,
                "error": health.engine.error,
            },
            "timestamp": health.timestamp,
        }
    return described
