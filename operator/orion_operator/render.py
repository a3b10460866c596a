"""The configuration document that routers and workers read, from spec, boards and plan (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from orion_contracts import kubernetes as names
from orion_contracts.stamp import VERSION
from orion_operator.board import Board
from orion_operator.placement import Plan
from orion_operator.spec import ClusterSpec
from orion_operator.spec_models import ModelSpec

_STAMPS = frozenset({"generation", "timestamp"})
MIB = 1 << 20


def source(namespace: str) -> str:
    """Who writes the document: two installations on one store tell each other by it."""
    return f"{names.OPERATOR}/{namespace}"


def render(
    spec: ClusterSpec,
    boards: Iterable[Board],
    plan: Plan,
    namespace: str,
) -> dict[str, Any]:
    """The document without its generation and time."""
    routing = spec.routing
    return {
        "version": VERSION,
        "source": source(namespace),
        "thresholds": asdict(spec.thresholds),
        "routing": _given(
            when_no_node_eligible=routing.when_no_node_eligible,
            max_queue_requests=routing.max_queue_requests,
            max_queue_bytes=routing.max_queue_bytes,
            starvation_bound_s=routing.starvation_bound_s,
            energy_tie_s=routing.energy_tie_s,
            default_deadline_s=routing.default_deadline_s,
            max_wait_s=routing.max_wait_s,
        ),
        "nodes": {board.name: _node(spec, board) for board in boards},
        "models": [_model(model, plan) for model in spec.models],
    }


def stamped(
    content: Mapping[str, Any], present: Mapping[str, Any] | None, last: int, now: str
) -> dict[str, Any] | None:
    """The document to write, or None: the store holds just this. `last`: the highest generation
    that this operator wrote, for the case that the store lost it."""
    if present is not None and same(content, present):
        return None
    generation = present.get("generation", 0) if present else 0
    highest = max(generation if isinstance(generation, int) else 0, last)
    return {**content, "generation": highest + 1, "timestamp": now}


def same(content: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """Whether a document says this, apart from when it was written."""
    return {k: v for k, v in present.items() if k not in _STAMPS} == dict(content)


def planned(present: Mapping[str, Any] | None) -> dict[str, tuple[str, ...]]:
    """The plan in a document: model to boards. The store is the operator's memory of it."""
    found: dict[str, tuple[str, ...]] = {}
    for model in (present or {}).get("models", ()):
        found[model["name"]] = tuple(model.get("nodes", ()))
    return found


def _node(spec: ClusterSpec, board: Board) -> dict[str, Any]:
    said = spec.node(board.name)
    speed = said.storage_mib_per_s
    return {
        "class": board.node_class,
        **_given(
            slots=board.slots if board.works else None,
            drain=board.drain,
            storage_bytes_per_second=None if speed is None else speed * MIB,
            idle_w=said.idle_watts,
            max_w=said.max_watts,
        ),
    }


def _model(model: ModelSpec, plan: Plan) -> dict[str, Any]:
    return {
        "name": model.name,
        "nodes": list(plan[model.name].nodes),
        "preload": model.preload,
        "retain": model.retain,
        **_given(
            aliases=list(model.aliases) or None,
            fallback=model.fallback,
            keep_alive_seconds=model.keep_alive_s,
            context_length=model.context_length,
        ),
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
