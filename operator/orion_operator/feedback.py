"""What Nodes are told of their boards, if the resource asks for it (pure)."""

from __future__ import annotations

from typing import Any

from orion_contracts import kubernetes as names
from orion_operator.board import Board
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
    if status == board.condition:
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


def taint_patch(board: Board, wanted: FeedbackSpec) -> dict[str, Any] | None:
    """Strategic merge patch of the Node, or None where nothing changes."""
    gated = wanted.taints and board.works and any(s in GATED for s in board.states)
    if gated == board.tainted:
        return None
    if not gated:
        return removed_taint()
    taint = {"key": names.TAINT, "value": board.state, "effect": "PreferNoSchedule"}
    return {"spec": {"taints": [taint]}}


def removed_condition() -> dict[str, Any]:
    """Strategic merge patch that takes our condition away."""
    return {"status": {"conditions": [{"$patch": "delete", "type": CONDITION}]}}


def removed_taint() -> dict[str, Any]:
    """Strategic merge patch that takes our taint away."""
    return {"spec": {"taints": [{"$patch": "delete", "key": names.TAINT}]}}


def farewell(node: NodeFacts) -> list[tuple[str, dict[str, Any]]]:
    """Everything of ours on a Node, as (subresource, strategic merge patch)."""
    labels = {names.CLASS_LABEL: None, names.OWNER_LABEL: None}
    patches: list[tuple[str, dict[str, Any]]] = []
    if node.tainted:
        patches.append(("", removed_taint()))
    if node.condition:
        patches.append(("status", removed_condition()))
    if node.node_class or node.owner:  # last: the owner says that the rest is ours
        patches.append(("", {"metadata": {"labels": labels}}))
    return patches
