"""`/v1/nodes`: every board, whether it may take work, and why not (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_router.canary import Slow, Verdict
from orion_router.fleet import Fleet, Node

NONE_SLOW: Verdict = {}


def nodes(fleet: Fleet, slow: Verdict = NONE_SLOW) -> dict[str, Any]:
    """All boards by name."""
    boards = sorted(fleet.nodes.items())
    return {"nodes": [_node(node) | _slow(slow.get(name, {})) for name, node in boards]}


def _slow(models: Mapping[str, Slow]) -> dict[str, Any]:
    """Models that the board became slow with, and what may have done it."""
    if not models:
        return {}
    return {
        "slow": {model: round(each.share, 2) for model, each in models.items()},
        "slow_why": next(iter(models.values())).why,
    }


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
