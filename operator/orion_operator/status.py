"""A resource's status from facts, and when it is worth writing (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orion_operator.conditions import Observation, observe
from orion_operator.facts import Facts
from orion_operator.fields import InvalidResource, read
from orion_operator.status_types import ClusterStatus, Condition, NodeRow
from orion_operator.tables import model_rows, node_rows, summary

QUIET_S = 30.0
"""Least time between two writes of a status: each one is a write to an SD card."""


def read_status(document: Mapping[str, Any]) -> ClusterStatus:
    """What the resource holds; empty where it makes no sense."""
    try:
        return read(ClusterStatus, document, "status")
    except InvalidResource:
        return ClusterStatus()


def status_of(facts: Facts, before: ClusterStatus, now: str) -> ClusterStatus:
    """The status now. `now`: for conditions that change."""
    return ClusterStatus(
        observed_generation=facts.generation,
        config_generation=facts.config_generation,
        summary=summary(facts),
        conditions=_conditions(observe(facts), before, facts.generation, now),
        nodes=node_rows(facts),
        models=model_rows(facts),
    )


def refused(
    reason: str, message: str, generation: int, before: ClusterStatus, now: str
) -> ClusterStatus:
    """The status of a resource that is not in force: Superseded, Conflict, Invalid."""
    only = (Observation("Ready", False, reason, message),)
    return ClusterStatus(
        observed_generation=generation, conditions=_conditions(only, before, generation, now)
    )


def _conditions(
    observations: Iterable[Observation], before: ClusterStatus, generation: int, now: str
) -> tuple[Condition, ...]:
    old = {c.type: c for c in before.conditions}
    made: list[Condition] = []
    for seen in observations:
        status = "True" if seen.status else "False"
        earlier = old.get(seen.type)
        unchanged = earlier is not None and earlier.status == status
        made.append(
            Condition(
                type=seen.type,
                status=status,
                reason=seen.reason,
                message=seen.message,
                last_transition_time=earlier.last_transition_time if earlier and unchanged else now,
                observed_generation=generation,
            )
        )
    return tuple(made)


def material(status: ClusterStatus) -> tuple[Any, ...]:
    """What makes two statuses different enough: not the exact length of a queue."""
    line = status.summary
    return (
        status.observed_generation,
        status.config_generation,
        tuple((c.type, c.status, c.reason, c.message) for c in status.conditions),
        tuple(_row(row) for row in status.nodes),
        status.models,
        (line.nodes, line.models, line.hottest, line.excluded_nodes, line.more_nodes),
        None if line.queue is None else line.queue.bit_length(),
    )


def _row(row: NodeRow) -> tuple[Any, ...]:
    return (row.name, row.node_class, row.state, row.temperature_band_c, row.resident, row.reasons)


def worth_writing(
    new: ClusterStatus, written: ClusterStatus, since_s: float, quiet_s: float = QUIET_S
) -> bool:
    """Whether to write now. `since_s`: seconds since this operator's last write.

    A new generation of the spec is answered at once, and so is a resource that comes into force or
    goes out of it, Ready that turns True, and the begin and the end of an update: somebody waits
    for it (`kubectl wait`). Ready that turns False waits its turn, so that a system that comes and
    goes costs two writes in `quiet_s` and not more.
    """
    if material(new) == material(written):
        return False
    if new.observed_generation != written.observed_generation or _kinds(new) != _kinds(written):
        return True
    if _holds(new, "BoardsUpdated") != _holds(written, "BoardsUpdated"):
        return True
    return since_s >= quiet_s or (_holds(new, "Ready") and not _holds(written, "Ready"))


def _kinds(status: ClusterStatus) -> set[str]:
    """Of conditions: a resource that is not in force has Ready alone."""
    return {condition.type for condition in status.conditions}


def _holds(status: ClusterStatus, kind: str) -> bool:
    return any(c.type == kind and c.status == "True" for c in status.conditions)
