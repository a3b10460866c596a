"""What Nodes are told of their boards, if the resource asks for it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_contracts import kubernetes as names
from orion_operator.board import Board
from orion_operator.loose import mapping, mappings
from orion_operator.nodes import CONDITION, NodeFacts
from orion_operator.spec_models import FeedbackSpec
from orion_operator.tables import MEANING

GATED = ("Hot", "LowMemory")


def condition_patch(board: Board, wanted: FeedbackSpec, now: str) -> dict[str, Any] | None:
    """Strategic merge patch of nodes/status, or None where nothing changes."""
    if not wanted.node_conditions:
        return removed_condition() if board.condition else None
    if not board.works:
        return removed_condition() if board.condition else None
    status = "True" if board.state == "Eligible" else "False"
    if f"{status}/{board.state}" == board.condition:
        return None
    condition = {
        "type": CONDITION,
        "status": status,
        "reason": board.state,
        "message": MEANING[board.state] or "takes requests",
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }
    return {"status": {"conditions": [condition]}}


def wanted_taint(board: Board, wanted: FeedbackSpec) -> dict[str, Any] | None:
    """The taint that the Node is to have from us."""
    if not (wanted.taints and board.works and any(s in GATED for s in board.states)):
        return None
    return {"key": names.TAINT, "value": board.state, "effect": "PreferNoSchedule"}


def retainted(body: Mapping[str, Any], taint: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge patch of a Node: our taint or none, and everybody else's as they are.

    A list of taints is replaced whole, so the patch is bound to the version that was read.
    """
    kept = [t for t in mappings(mapping(body.get("spec")).get("taints"))
            if t.get("key") != names.TAINT]  # fmt: skip
    version = mapping(body.get("metadata")).get("resourceVersion")
    taints = [*kept, taint] if taint else kept
    return {"metadata": {"resourceVersion": version}, "spec": {"taints": taints or None}}


def removed_condition() -> dict[str, Any]:
    """Strategic merge patch that takes our condition away."""
    return {"status": {"conditions": [{"$patch": "delete", "type": CONDITION}]}}


def farewell(node: NodeFacts) -> list[tuple[str, dict[str, Any]]]:
    """Labels and condition of ours on a Node, as (subresource, strategic merge patch)."""
    labels = {names.CLASS_LABEL: None, names.OWNER_LABEL: None}
    patches: list[tuple[str, dict[str, Any]]] = []
    if node.condition:
        patches.append(("status", removed_condition()))
    if node.node_class or node.owner:  # last: the owner says that the rest is ours
        patches.append(("", {"metadata": {"labels": labels}}))
    return patches
