"""Which model is missed least when one has to leave memory (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from orion_agent import keeper_fit
from orion_agent.keeper_facts import Facts
from orion_agent.keeper_names import canonical
from orion_contracts.config import ModelConfig


def preloaded(facts: Facts) -> frozenset[str]:
    """What is in memory because it is placed here, by the names it has there."""
    twins = (facts.twin(name) for name, model in facts.placed.items() if model.preload)
    return frozenset(canonical(twin.name) for twin in twins if twin is not None)


def idle_for_s(facts: Facts, name: str) -> float:
    """For how long no request used it; one that was there before us, for as long as we know."""
    return facts.now_s - facts.used_s[name] if name in facts.used_s else facts.quiet_s


def by_value(facts: Facts, names: Iterable[str]) -> list[str]:
    """Idle models, the one that is missed least first: not placed here, then longest unused."""
    placed = preloaded(facts)
    idle = [name for name in names if name not in facts.busy]
    return sorted(idle, key=lambda n: (n in placed, facts.used_s.get(n, float("-inf")), n))


def to_leave(facts: Facts, model: ModelConfig, room: keeper_fit.Room) -> list[str]:
    """What has to leave so that a request's model fits; as much as can, where that is not enough.

    The engine does not look at memory before it loads: the kernel would end a process instead.
    """
    wanted, gone, freed = facts.need(model), list[str](), 0
    there = facts.twin(canonical(model.name))
    if there is not None:
        freed = there.size_bytes
    for name in by_value(facts, facts.resident):
        if room.holds(wanted, freed):
            break
        if there is None or name != canonical(there.name):
            gone.append(name)
            freed += facts.resident[name].size_bytes
    return gone
