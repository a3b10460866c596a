"""What is told as Events: the difference between two statuses, in sentences (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from orion_contracts import kubernetes as names
from orion_operator.status_types import ClusterStatus, Condition, ModelRow, NodeRow

MOST_AT_ONCE = 20
"""Events of one look; more boards than that are in the status anyhow."""
BAD_WHEN_TRUE = frozenset({"EngineMismatch", "ImageMissing", "Conflict"})


@dataclass(frozen=True, slots=True)
class Note:
    """One Event. `subject` and `reason` tell whether it is a repetition."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str
    subject: str = ""


def notes(before: ClusterStatus, after: ClusterStatus) -> tuple[Note, ...]:
    """What happened between two statuses, at most MOST_AT_ONCE."""
    found = [*_conditions(before, after), *_boards(before, after), *_models(before, after)]
    if after.config_generation != before.config_generation and after.config_generation:
        text = f"wrote generation {after.config_generation} of the configuration to the store"
        found.append(Note("Normal", "ConfigWritten", text))
    return tuple(found[:MOST_AT_ONCE])


def _conditions(before: ClusterStatus, after: ClusterStatus) -> Iterator[Note]:
    old = {c.type: (c.status, c.reason) for c in before.conditions}
    for condition in after.conditions:
        if old.get(condition.type) == (condition.status, condition.reason):
            continue
        if condition.type not in old and _good(condition):
            continue  # nothing to tell of a calm beginning
        yield Note(
            "Normal" if _good(condition) else "Warning",
            condition.reason,
            f"{condition.type} is {condition.status}: {condition.message}"[:1000],
            condition.type,
        )


def _good(condition: Condition) -> bool:
    return (condition.status == "True") != (condition.type in BAD_WHEN_TRUE)


def _boards(before: ClusterStatus, after: ClusterStatus) -> Iterator[Note]:
    old = {row.name: row for row in before.nodes}
    for row in after.nodes:
        earlier = old.get(row.name)
        if earlier is None:
            if not before.more_than_shown:
                yield Note(
                    "Normal", "BoardJoined", f"{row.name} is of class {row.node_class}", row.name
                )
        elif earlier.node_class != row.node_class:
            text = f"{row.name} was {earlier.node_class} and is {row.node_class}"
            yield Note("Normal", "BoardReclassified", text, row.name)
        if earlier is not None and earlier.state != row.state:
            yield _moved(earlier, row)
    if not after.more_than_shown:
        present = {row.name for row in after.nodes}
        for name in sorted(set(old) - present):
            yield Note("Normal", "BoardLeft", f"{name} is no longer a board of ours", name)


def _moved(before: NodeRow, after: NodeRow) -> Note:
    text = f"{after.name} was {before.state} and is {after.state}"
    if after.reasons:
        text += f" ({'; '.join(after.reasons)})"
    calm = after.state in ("Eligible", "Excluded", "Draining", "Waiting")
    return Note("Normal" if calm else "Warning", f"Board{after.state}", text[:1000], after.name)


def _models(before: ClusterStatus, after: ClusterStatus) -> Iterator[Note]:
    old = {row.name: row for row in before.models}
    for row in after.models:
        earlier = old.pop(row.name, ModelRow(name=row.name))
        if row.resident > earlier.resident:
            text = f"{row.name} is in memory on {row.resident} of {row.wanted} boards"
            yield Note("Normal", "ModelResident", text, row.name)
        elif row.resident < earlier.resident:
            text = f"{row.name} is in memory on {row.resident} boards, before on {earlier.resident}"
            yield Note("Normal", "ModelUnloaded", text, row.name)
        elif row.pulling and not earlier.pulling:
            yield Note("Normal", "ModelPulling", f"{row.name}: {row.pulling}", row.name)
    for name in old:
        yield Note("Normal", "ModelRemoved", f"{name} left the spec", name)


def event(note: Note, resource: str, uid: str, namespace: str, now: str) -> dict[str, Any]:
    """The Event of a note about an InferenceCluster. Its name is the same for a repetition."""
    mark = hashlib.sha256(f"{uid}/{note.reason}/{note.subject}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{resource[:200]}.{mark}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": resource,
            "namespace": namespace,
            "uid": uid,
        },
        "type": note.kind,
        "reason": note.reason,
        "message": note.message,
        "source": {"component": names.OPERATOR},
        "reportingComponent": names.OPERATOR,
        "reportingInstance": names.OPERATOR,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
