"""The conditions of a status: what holds, one word why, and what to do about it (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orion_operator.facts import Facts
from orion_operator.footprint import tagged
from orion_operator.tables import MEANING, failed, settled

_NAMED = 6
_CUT = 2000


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition without its time."""

    type: str
    status: bool
    reason: str
    message: str


def observe(facts: Facts) -> tuple[Observation, ...]:
    """All conditions, in the order in which they are read."""
    return (ready(facts), healthy(facts), models_placed(facts), config_applied(facts),
            boards_updated(facts), engine_mismatch(facts), image_missing(facts),
            conflict(facts))  # fmt: skip


def ready(facts: Facts) -> Observation:
    """Store, router and at least one eligible board."""
    trouble = facts.store.trouble
    if not facts.boards and facts.foreign:
        return _no("Ready", "Conflict", _owners(facts))
    if trouble.reason:
        return _no("Ready", trouble.reason, trouble.message)
    if facts.shared_with:
        return _no("Ready", "StoreShared", _shared(facts))
    if not facts.store.routers:
        why = "no router gives a sign of life: see its pod (it needs a board with the role router)"
        return _no("Ready", "NoRouter", why)
    if not facts.eligible:
        return _no("Ready", "NoEligibleBoard", f"no board may take work: {_troubled(facts)}")
    count = f"{len(facts.eligible)} of {len(facts.workers)} boards may take work"
    return _yes("Ready", "Serving", ". ".join(filter(None, (count, facts.store.advice))))


def healthy(facts: Facts) -> Observation:
    """No board in trouble."""
    if facts.definition:
        return _no("Healthy", "DefinitionOutdated", facts.definition)
    if len(facts.eligible) < len(facts.workers):
        return _no("Healthy", "BoardsInTrouble", _troubled(facts))
    if not facts.workers:
        why = "no board runs models: see spec.nodeClasses, and kubectl get nodes -L "
        return _no("Healthy", "NoBoards", why + "inference.orion.dev/class")
    return _yes("Healthy", "AllEligible", "every board may take work")


def models_placed(facts: Facts) -> Observation:
    """Every model is planned, and is where it is planned."""
    if not facts.spec.models:
        return _yes("ModelsPlaced", "NoneWanted", "spec.models is empty; boards use what they have")
    unplaced = [p for p in facts.plan.values() if p.problem]
    if unplaced:
        text = "; ".join(f"{p.model}: {p.problem}" for p in unplaced)
        return _no("ModelsPlaced", "DoesNotFit", text)
    broken = [m.name for m in facts.spec.models if failed(facts, m.name)]
    if broken:
        parts = [f"{m} on {b}: {why}" for m in broken for b, why in failed(facts, m).items()]
        return _no("ModelsPlaced", "Failed", "; ".join(parts))
    missing = [m.name for m in facts.spec.models if not settled(facts, m.name)]
    if missing:
        return _no("ModelsPlaced", "Loading", f"being fetched or loaded: {_some(missing)}")
    return _yes("ModelsPlaced", "Resident", "every model is where it is planned")


def config_applied(facts: Facts) -> Observation:
    """The store holds the configuration, and every living router runs it."""
    store = facts.store
    if not store.reachable:
        return _no("ConfigApplied", store.trouble.reason, store.trouble.message)
    if facts.shared_with:
        return _no("ConfigApplied", "StoreShared", _shared(facts))
    if not store.routers:
        return _no("ConfigApplied", "NoRouter", "no router is there to apply it")
    behind = [name for name, at in store.routers.items() if at != facts.config_generation]
    if behind:
        text = f"generation {facts.config_generation} is not yet in force at {_some(behind)}"
        return _no("ConfigApplied", "RoutersBehind", text)
    text = f"generation {facts.config_generation} is in force at every router"
    return _yes("ConfigApplied", "Applied", text)


def boards_updated(facts: Facts) -> Observation:
    """Every worker is of the newest template; otherwise what the next one waits for."""
    now = facts.rollout
    if now.done:
        text = "every living board serves with the installed worker"
        if now.away:
            text += f"; {_some(now.away)}, which is away, gets it on its return"
        return _yes("BoardsUpdated", "Current", text)
    count = f"{now.updated} of {now.total} boards serve with the newest worker"
    if now.next is not None:
        return _no("BoardsUpdated", "Replacing", f"{count}; {now.next.node} is being updated")
    return _no("BoardsUpdated", "Replacing", f"{count}; waiting for {now.waits}")


def engine_mismatch(facts: Facts) -> Observation:
    """True where boards run different Ollamas, or not the settings that were asked for."""
    reports = [b.report for b in facts.workers if b.report and b.report.engine.reachable]
    versions: dict[str, list[str]] = {}
    for report in reports:
        if report.engine.version:
            versions.setdefault(report.engine.version, []).append(report.node)
    if len(versions) > 1:
        parts = [f"{version} on {_some(nodes)}" for version, nodes in sorted(versions.items())]
        text = f"boards run different versions of Ollama: {'; '.join(parts)}; use one"
        return _yes("EngineMismatch", "Versions", text)
    contexts = [
        f"{m.name} on {board.name} has {r.context_length} tokens of context, not {m.context_length}"
        for m in facts.spec.models
        if m.context_length is not None
        for board in facts.holders(m.name)
        if board.report
        for r in board.report.resident
        if tagged(r.name) == tagged(m.name) and r.context_length not in (0, m.context_length)
    ]
    if contexts:
        return _yes("EngineMismatch", "ContextLength", "; ".join(contexts))
    return _no("EngineMismatch", "Same", "the boards' engines agree with each other and the spec")


def image_missing(facts: Facts) -> Observation:
    """True where a pod waits for an image."""
    if facts.missing_images:
        return _yes("ImageMissing", "CannotPull", facts.missing_images)
    return _no("ImageMissing", "AllThere", "no pod waits for an image")


def conflict(facts: Facts) -> Observation:
    """True where boards belong to another namespace."""
    if facts.foreign:
        return _yes("Conflict", "OwnedElsewhere", _owners(facts))
    return _no("Conflict", "AllOurs", "no board belongs to another namespace")


def _troubled(facts: Facts) -> str:
    troubled = [b for b in facts.workers if b.state != "Eligible"]
    parts = [f"{b.name} is {b.state} ({MEANING[b.state]})" for b in troubled[:_NAMED]]
    if len(troubled) > _NAMED:
        parts.append(f"and {len(troubled) - _NAMED} more")
    return "; ".join(parts) or "there is no board that runs models"


def _owners(facts: Facts) -> str:
    owners: dict[str, list[str]] = {}
    for name, owner in facts.foreign.items():
        owners.setdefault(owner, []).append(name)
    parts = [
        f"{_some(boards)} belong to namespace {owner}" for owner, boards in sorted(owners.items())
    ]
    return (
        f"{'; '.join(parts)}; nothing of theirs is touched. Where that namespace is gone: "
        f"kubectl label node NAME inference.orion.dev/owner-"
    )


def _shared(facts: Facts) -> str:
    return (
        f"{facts.shared_with} writes this store's configuration, too; give every installation a "
        "store of its own"
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _yes(kind: str, reason: str, message: str) -> Observation:
    return Observation(kind, True, reason, message[:_CUT])


def _no(kind: str, reason: str, message: str) -> Observation:
    return Observation(kind, False, reason, message[:_CUT])
