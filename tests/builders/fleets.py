"""Builders for router tests: boards, fleets, queued requests."""

from __future__ import annotations

from typing import Any

from orion_contracts.config import Thresholds
from orion_contracts.health import DiskModel, Engine, NodeHealth, ResidentModel
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, Node, observe
from orion_router.policy import Waiting

GIB = 1024**3


def health(name: str, resident: tuple[str, ...] = (), **facts: Any) -> NodeHealth:
    """A board's report: cool, half empty, with models m1 and m2 on disk unless told otherwise."""
    models = facts.pop("models", ("m1", "m2"))
    facts.setdefault("temperature_c", 50.0)
    facts.setdefault("memory_total_bytes", 8 * GIB)
    facts.setdefault("memory_available_bytes", 4 * GIB)
    return NodeHealth(
        node=name,
        incarnation="i1",
        timestamp="2026-01-01T00:00:00Z",
        engine=facts.pop("engine", Engine(reachable=True)),
        resident=tuple(ResidentModel(name=m) for m in resident),
        models=tuple(DiskModel(name=m) for m in models),
        **facts,
    )


def node(name: str, resident: tuple[str, ...] = (), now_s: float = 0.0, **facts: Any) -> Node:
    """A board seen once, at `now_s`."""
    draining = facts.pop("draining", False)
    alive = facts.pop("alive", True)
    report = health(name, resident, **facts)
    return observe(None, name, report, alive, draining, frozenset(), now_s, Thresholds())


def fleet(*nodes: Node) -> Fleet:
    """A fleet of these boards."""
    return Fleet({n.name: n for n in nodes})


def waiting(
    model: str = "m1", request_id: str = "r1", since_s: float = 0.0, **facts: Any
) -> Waiting:
    """A queued request."""
    return Waiting(request_id, Meta(model=model, pin=facts.pop("pin", "")), 1.0, since_s, **facts)
