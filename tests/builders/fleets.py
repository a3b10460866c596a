"""Builders for router tests: boards, fleets, queued requests, what boards hold."""

from __future__ import annotations

from typing import Any

from orion_contracts.config import NodeConfig, Thresholds
from orion_contracts.health import DiskModel, Engine, NodeHealth, ResidentModel
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, Node
from orion_router.held import Held
from orion_router.policy import Waiting
from orion_router.sighting import observe

GIB = 1024**3

Models = tuple[str, ...] | dict[str, int]
"""Names, or names with their size in bytes."""


def health(name: str, resident: Models = (), **facts: Any) -> NodeHealth:
    """A board's report: cool, half empty, with models m1 and m2 on disk unless told otherwise."""
    models: Models = facts.pop("models", ("m1", "m2"))
    facts.setdefault("temperature_c", 50.0)
    facts.setdefault("memory_total_bytes", 8 * GIB)
    facts.setdefault("memory_available_bytes", 4 * GIB)
    if (seats := facts.pop("seats", None)) is not None:
        facts["engine"] = Engine(reachable=True, settings={"max_loaded_models": seats})
    return NodeHealth(
        node=name,
        incarnation="i1",
        timestamp="2026-01-01T00:00:00Z",
        engine=facts.pop("engine", Engine(reachable=True)),
        resident=tuple(ResidentModel(name=m, size_bytes=s) for m, s in _sizes(resident)),
        models=tuple(DiskModel(name=m, size_bytes=s) for m, s in _sizes(models)),
        **facts,
    )


def _sizes(models: Models) -> list[tuple[str, int]]:
    if isinstance(models, dict):
        return list(models.items())
    return [(model, 0) for model in models]


def node(name: str, resident: Models = (), now_s: float = 0.0, **facts: Any) -> Node:
    """A board seen once, at `now_s`."""
    draining = facts.pop("draining", False)
    alive = facts.pop("alive", True)
    said = facts.pop("said", NodeConfig())
    report = health(name, resident, **facts)
    return observe(None, name, report, alive, draining, frozenset(), now_s, Thresholds(), said)


def fleet(*nodes: Node) -> Fleet:
    """A fleet of these boards."""
    return Fleet({n.name: n for n in nodes})


def waiting(
    model: str = "m1", request_id: str = "r1", since_s: float = 0.0, **facts: Any
) -> Waiting:
    """A queued request; `facts` are those of `Waiting` and of `Meta`."""
    own = {name: facts.pop(name) for name in _WAITING if name in facts}
    asked_s = min(since_s, own.get("accepted_s", since_s))
    score = max(0.0, asked_s * 1000.0) + own.pop("score", 1.0)  # as the ledger's: ms, and order
    return Waiting(request_id, Meta(model=model, **facts), score, since_s, **own)


_WAITING = ("score", "crashes", "failed_on", "refused_by", "accepted_s")


def held(model: str = "m1", since_s: float = 0.0, **facts: Any) -> Held:
    """A request that a board has had since then."""
    return Held.of(Meta(model=model, **facts), since_s)


def holds(*models: str, since_s: float = 0.0, **facts: Any) -> dict[str, Held]:
    """What a board holds: one request for each model named."""
    return {f"held-{i}": held(model, since_s, **facts) for i, model in enumerate(models)}
