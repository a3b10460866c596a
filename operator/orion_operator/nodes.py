"""What the operator needs of a Kubernetes Node (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orion_contracts import kubernetes as names
from orion_operator.loose import mapping, mappings
from orion_operator.quantity import to_bytes

CONDITION = "InferenceReady"
"""The condition that `feedback.nodeConditions` writes."""
REPELLING = ("NoSchedule", "NoExecute")


class Taint(NamedTuple):
    """What keeps pods off a node, or drives them away."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One Node. `memory_bytes` 0: it has not said yet. `since`: when it became ready, or ceased to
    be, by the cluster's clock. `taints`: those that pods have to tolerate."""

    name: str
    memory_bytes: int = 0
    node_class: str = ""
    owner: str = ""
    unschedulable: bool = False
    ready: bool = True
    since: str = ""
    taints: tuple[Taint, ...] = ()
    tainted: bool = False
    condition: str = ""
    """Status and reason of our own condition, as in `False/Hot`; empty: not there."""


def read_node(body: Mapping[str, Any]) -> NodeFacts:
    """From a Node as the API server sends it; parts that make no sense count as absent."""
    metadata, spec, status = (mapping(body.get(k)) for k in ("metadata", "spec", "status"))
    labels = mapping(metadata.get("labels"))
    conditions = {c.get("type"): c for c in mappings(status.get("conditions"))}
    own = conditions.get(CONDITION)
    is_ready, taints = mapping(conditions.get("Ready")), mappings(spec.get("taints"))
    return NodeFacts(
        name=str(metadata["name"]),
        memory_bytes=_memory(mapping(status.get("capacity")).get("memory")),
        node_class=str(labels.get(names.CLASS_LABEL, "")),
        owner=str(labels.get(names.OWNER_LABEL, "")),
        unschedulable=spec.get("unschedulable") is True,
        ready=is_ready.get("status") == "True",
        since=str(is_ready.get("lastTransitionTime") or ""),
        taints=tuple(
            Taint(str(t.get("key", "")), str(t.get("value", "")), str(t.get("effect", "")))
            for t in taints
            if t.get("effect") in REPELLING
        ),
        tainted=any(t.get("key") == names.TAINT for t in taints),
        condition=f"{own.get('status')}/{own.get('reason')}" if own else "",
    )


def _memory(value: Any) -> int:
    try:
        return to_bytes(value if isinstance(value, int) else str(value))
    except ValueError:
        return 0
