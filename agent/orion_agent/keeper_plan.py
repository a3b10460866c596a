"""What the model keeper does next, and why not (pure): one step to fetch, one in memory.

Requests come first. A model is loaded while requests run only where nothing has to leave for it;
what demand has brought in leaves only after it was idle for a while; and what is placed here and
in memory never leaves for something else that is placed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from orion_agent import keeper_fit, keeper_names
from orion_agent.keeper_facts import Facts, stays
from orion_agent.keeper_names import canonical
from orion_agent.keeper_value import by_value, idle_for_s, preloaded
from orion_agent.sharing_plan import Copy, Wait
from orion_contracts.config import ModelConfig

QUIET_S = 2.0
"""Between the last request and a load that may push something out: the next one of a conversation
comes at once or after a person has read."""
GUEST_IDLE_S = 120.0
"""A model that nobody placed here makes room for one that is placed after so long without use."""
DELETE_AFTER_S = 600.0
"""A plan that goes back and forth must not cost a download each time."""

Kind = Literal["pull", "delete", "load", "touch", "unload"]
Refusals = dict[str, str]
"""Model, as the configuration spells it, to why it is not there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `model` None: it is not assigned (any more)."""

    kind: Kind
    name: str
    why: str
    model: ModelConfig | None = None
    copy: Copy | None = None
    """Of a pull: the board that it comes from, if not from the registry."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step of each lane, and what cannot be done."""

    fetch: Step | None = None
    memory: Step | None = None
    refused: Refusals = field(default_factory=Refusals)


def plan(facts: Facts) -> Plan:
    """The plan."""
    refused: Refusals = {}
    fetch = _pull(facts, refused) or _delete(facts)
    memory = _relieve(facts) or _unload(facts) or _load(facts, refused)
    return Plan(fetch, memory, refused)


def _pull(facts: Facts, refused: Refusals) -> Step | None:
    """The first model that is missing and may be fetched."""
    step: Step | None = None
    for model in facts.assigned:
        name = canonical(model.name)
        if name in facts.disk:
            continue
        source = facts.sources.get(name)
        named = (
            keeper_names.problem(model.name, facts.registries)
            if source is None
            else keeper_names.refusal(model.name)
        )
        why = (
            facts.held.get(("fetch", name))
            or named
            or keeper_fit.disk_refusal(facts.disk_free_bytes, facts.disk_reserve_bytes, 0)
        )
        if why:
            refused[model.name] = why
        elif step is None and not isinstance(source, Wait):
            step = Step("pull", name, "it is placed here and not on disk", model, source)
    return step


def _delete(facts: Facts) -> Step | None:
    """A copy that was fetched here, is not to be retained, and has been away for long enough."""
    for name in facts.disk:
        if keeper_names.is_leftover(name) and ("fetch", name) not in facts.held:
            return Step("delete", name, "a copy that was broken off left this name")
    for name, kept in facts.kept.items():
        there = facts.disk.get(name)
        if name in facts.placed or kept.retain or there is None or there.digest != kept.digest:
            continue
        away_s = facts.now_s - facts.left_s.get(name, facts.now_s)
        if away_s < DELETE_AFTER_S or name in facts.busy or facts.twin(name) is not None:
            continue
        if ("fetch", name) not in facts.held:
            return Step("delete", name, "it left the configuration and is not to be retained")
    return None


def _relieve(facts: Facts) -> Step | None:
    """Memory is above the gate: the least valuable idle model leaves."""
    if not facts.full_ram or facts.busy or facts.loading:
        return None
    for name in by_value(facts, facts.resident):
        if ("memory", name) not in facts.held:
            return Step("unload", name, "memory is above the threshold")
    return None


def _unload(facts: Facts) -> Step | None:
    """What is no longer assigned leaves when no request uses it."""
    for name in facts.kept:
        away = name not in facts.placed and name in facts.resident
        if away and not (
            name in facts.busy or facts.shared(name) or ("memory", name) in facts.held
        ):
            return Step("unload", name, "it is no longer placed here")
    return None


def _load(facts: Facts, refused: Refusals) -> Step | None:
    """The first assigned model that should be in memory and is not, or not for long enough."""
    step: Step | None = None
    for model in facts.assigned:
        name = canonical(model.name)
        if not model.preload or name not in facts.disk:
            continue
        if why := facts.held.get(("memory", name)):
            refused[model.name] = why
            continue
        there = facts.twin(name)
        if there is not None and stays(model, there, facts.wall_s):
            continue
        if there is None and name in facts.once:
            continue
        found = _place(facts, model, name, refused)
        step = step or found
    return None if facts.loading or facts.full_ram else step


def _place(facts: Facts, model: ModelConfig, name: str, refused: Refusals) -> Step | None:
    """How this one gets into memory; None with a refusal, or when it has to wait."""
    there, wanted = facts.twin(name), facts.need(model)
    quiet = not facts.busy and facts.quiet_s >= QUIET_S
    same = model.context_length is None or (
        there and there.context_length in (0, model.context_length)
    )
    if there is not None and same:
        return Step("touch", name, "its keep-alive is too short", model) if quiet else None
    freed = there.size_bytes if there is not None else 0
    guests = [n for n in by_value(facts, facts.resident) if n not in preloaded(facts)]
    idle_s = min((idle_for_s(facts, guest) for guest in guests), default=GUEST_IDLE_S)
    careful = not quiet or idle_s < GUEST_IDLE_S
    seats = facts.seats_seen if facts.seats is None and careful else facts.seats
    seated = len(facts.resident) - (there is not None)
    if facts.room.holds(wanted, freed) and (seats is None or seated < seats):
        if there is None or quiet:
            return Step("load", name, "it is placed here", model)
        return None
    if not guests:
        if quiet:
            refused[model.name] = _refusal(facts, wanted)
        return None
    if quiet and idle_for_s(facts, guests[0]) >= GUEST_IDLE_S:
        return Step("unload", guests[0], f"it makes room for {model.name}, which is placed here")
    return None


def _refusal(facts: Facts, wanted: keeper_fit.Need) -> str:
    if not facts.room.holds(wanted):
        return facts.room.refusal(wanted)
    count = len(facts.resident)
    return (
        f"Ollama keeps {count} model{'s' * (count > 1)} in memory at once here "
        f"(OLLAMA_MAX_LOADED_MODELS), and {', '.join(facts.resident)} came first"
    )
