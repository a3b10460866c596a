"""What the health report says of the keeper (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orion_agent.keeper_facts import Facts
from orion_agent.keeper_names import canonical
from orion_agent.keeper_pull import Pull
from orion_agent.sharing_plan import Wait

STEP_PERCENT = 1
"""Progress in such steps: each byte's change would be written to the store's disk."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The report's `pulls` and `keeper`; nothing where nothing is placed."""

    pulls: tuple[Mapping[str, Any], ...] = ()
    keeper: Mapping[str, Any] | None = None
    share_url: str | None = None


def tell(facts: Facts, refused: Mapping[str, str], pull: Pull | None, fetching: str) -> Keeping:
    """By the names that the configuration uses."""
    pulls: list[Mapping[str, Any]] = []
    for model in facts.assigned:
        name = canonical(model.name)
        if name == fetching and pull is not None:
            pulls.append(_progress(model.name, pull))
        elif name not in facts.disk:
            source = facts.sources.get(name)
            leader = source.leader if isinstance(source, Wait) else ""
            pulls.append(_still(model.name, refused.get(model.name, ""), leader))
    keeper = {
        "assigned": [model.name for model in facts.assigned],
        "resident": [m.name for m in facts.assigned if facts.twin(canonical(m.name)) is not None],
        "failed": dict(refused),
    }
    return Keeping(tuple(pulls), keeper)


def _progress(name: str, pull: Pull) -> Mapping[str, Any]:
    total = pull.total_bytes
    step = max(total * STEP_PERCENT // 100, 1)
    done = pull.completed_bytes if pull.completed_bytes == total else (
        pull.completed_bytes // step * step
    )  # fmt: skip
    return {
        "model": name, "state": pull.state, "completed_bytes": done, "total_bytes": total,
        "source": pull.source,
    }  # fmt: skip


def _still(name: str, why: str, leader: str) -> Mapping[str, Any]:
    entry = {"model": name, "completed_bytes": 0, "total_bytes": 0}
    if why:
        return {**entry, "state": "failed", "error": why}
    return {**entry, "state": "waiting", **({"source": leader} if leader else {})}
