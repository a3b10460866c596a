"""Which board holds which model: a plan with its arithmetic (pure).

Deterministic, and stable: what was planned stays where it is as long as it may. In this order:
models that name their boards or classes; what was planned before; what is still missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orion_operator.footprint import Footprint, tagged
from orion_operator.quantity import in_gib
from orion_operator.spec_models import ModelSpec

PLAN_SHARE, STAY_SHARE = 0.85, 0.90
"""Of a board's memory: up to where something new is planned, and up to where it may stay."""
MOST_NAMED = 4
"""Boards whose arithmetic is spelled out for a model that fits nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A board of ours that runs models. `system_bytes`: what everything else on it takes."""

    name: str
    node_class: str
    memory_bytes: int
    system_bytes: int
    slots: int = 1
    available: bool = True
    """Kubernetes has it, and its worker was heard of lately."""
    draining: bool = False
    resident: frozenset[str] = frozenset()
    on_disk: frozenset[str] = frozenset()
    most_models: int = 64
    """How many its engine keeps at once."""

    def room(self, share: float) -> int:
        """Bytes for models."""
        return max(0, int(self.memory_bytes * share) - self.system_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One model's part of the plan. `problem`: why it is on fewer boards than it should be."""

    model: str
    nodes: tuple[str, ...] = ()
    wanted: int = 0
    problem: str = ""


Sizes = Callable[[ModelSpec, int], Footprint]
Plan = Mapping[str, Placed]


@dataclass
class _Sheet:
    """What is planned so far."""

    places: Sequence[Place]
    sizes: Sizes
    taken: dict[str, int] = field(default_factory=dict[str, int])
    held: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Board to the models that are kept in its memory."""
    plan: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def fits(self, model: ModelSpec, place: Place, share: float) -> bool:
        need = self.sizes(model, place.slots).total_bytes
        held = self.held.get(place.name, ())
        free = place.room(share) - (self.taken.get(place.name, 0) if model.preload else 0)
        crowded = model.preload and len(held) >= place.most_models
        return not crowded and (need is None or need <= free)

    def put(self, model: ModelSpec, place: Place) -> None:
        self.plan.setdefault(model.name, set()).add(place.name)
        if model.preload:  # one that is only fetched is loaded when something else left
            need = self.sizes(model, place.slots).total_bytes or 0
            self.taken[place.name] = self.taken.get(place.name, 0) + need
            self.held.setdefault(place.name, []).append(model.name)

    def has(self, model: ModelSpec, place: Place) -> bool:
        return place.name in self.plan.get(model.name, ())


def place_models(
    models: Sequence[ModelSpec],
    places: Iterable[Place],
    before: Mapping[str, Sequence[str]],
    sizes: Sizes,
) -> Plan:
    """The plan. `before`: model to boards of the previous one; `sizes`: the footprint of a model
    on a board with so many slots."""
    ordered = sorted(places, key=lambda p: p.name)
    old = {model: frozenset(nodes) for model, nodes in before.items()}
    sheet = _Sheet(ordered, sizes)
    largest_first = sorted(models, key=lambda m: (-(sizes(m, 1).total_bytes or 0), m.name))
    named = [m for m in largest_first if m.placement.replicas is None]
    counted = [m for m in largest_first if m.placement.replicas is not None]
    for model in named:
        for place in _asked_for(model, ordered):
            if sheet.fits(model, place, PLAN_SHARE) or (
                place.name in before.get(model.name, ()) and sheet.fits(model, place, STAY_SHARE)
            ):
                sheet.put(model, place)
    for model in counted:
        _keep(sheet, model, old.get(model.name, frozenset()))
    for model in counted:
        _add(sheet, model)
    return {model.name: _outcome(sheet, model) for model in models}


def _asked_for(model: ModelSpec, places: Sequence[Place]) -> list[Place]:
    nodes, classes = model.placement.nodes or (), model.placement.classes or ()
    return [p for p in places if p.name in nodes or p.node_class in classes]


def _keep(sheet: _Sheet, model: ModelSpec, before: Collection[str]) -> None:
    """Boards of the previous plan stay. One that is away or drains stays as well, but does not
    count while another can do the work: when it is back, the surplus goes."""
    wanted = model.placement.replicas or 0
    name = tagged(model.name)
    old = [p for p in sheet.places if p.name in before and sheet.fits(model, p, STAY_SHARE)]
    old.sort(key=lambda p: (not _serves(p), name not in p.resident, p.name))
    serving = 0
    for place in old:
        if serving < wanted:
            sheet.put(model, place)
            serving += _serves(place)


def _add(sheet: _Sheet, model: ModelSpec) -> None:
    wanted = model.placement.replicas or 0
    name = tagged(model.name)
    serving = sum(_serves(p) for p in sheet.places if sheet.has(model, p))
    free = [p for p in sheet.places if _serves(p) and not sheet.has(model, p)]
    free.sort(
        key=lambda p: (
            len(sheet.held.get(p.name, ())),
            name not in p.resident,
            name not in p.on_disk,
            sheet.taken.get(p.name, 0) - p.room(PLAN_SHARE),
            p.name,
        )
    )
    for place in free:
        if serving < wanted and sheet.fits(model, place, PLAN_SHARE):
            sheet.put(model, place)
            serving += 1


def _serves(place: Place) -> bool:
    return place.available and not place.draining


def _outcome(sheet: _Sheet, model: ModelSpec) -> Placed:
    nodes = tuple(sorted(sheet.plan.get(model.name, ())))
    placement = model.placement
    if placement.replicas is not None:
        wanted, able = placement.replicas, sheet.places
        serving = sum(_serves(p) for p in sheet.places if p.name in nodes)
    else:
        able = _asked_for(model, sheet.places)
        wanted = len(placement.nodes) if placement.nodes is not None else len(able)
        serving = len(nodes)
    problem = ""
    if serving < wanted or (placement.classes is not None and not wanted):
        problem = _why(sheet, model, able, nodes, serving, wanted)
    return Placed(model=model.name, nodes=nodes, wanted=wanted, problem=problem)


def _why(
    sheet: _Sheet,
    model: ModelSpec,
    able: Sequence[Place],
    nodes: Sequence[str],
    serving: int,
    wanted: int,
) -> str:
    """The arithmetic of the boards that cannot take it."""
    parts = [f"on {serving} of {wanted} boards"] if wanted else ["no board is in these classes"]
    missing = sorted(set(model.placement.nodes or ()) - {p.name for p in sheet.places})
    if missing:
        parts.append(f"no board of this cluster that runs models: {', '.join(missing)}")
    small = [p for p in able if p.name not in nodes and not sheet.fits(model, p, PLAN_SHARE)]
    if small:
        parts.append(str(sheet.sizes(model, small[0].slots)))
        parts.extend(_room(sheet, model, place) for place in small[:MOST_NAMED])
        if len(small) > MOST_NAMED:
            parts.append(f"and {len(small) - MOST_NAMED} more boards are too small")
    away = [p.name for p in able if not _serves(p)]
    if away and placement_counts(model):
        parts.append(f"away or draining: {', '.join(away[:MOST_NAMED])}")
    if not sheet.places:
        parts.append("there is no board that runs models")
    elif wanted > len(able) and placement_counts(model):
        parts.append(f"there are only {len(able)} boards")
    return "; ".join(parts)


def placement_counts(model: ModelSpec) -> bool:
    """Whether a number of boards is asked for, not certain ones."""
    return model.placement.replicas is not None


def _room(sheet: _Sheet, model: ModelSpec, place: Place) -> str:
    taken = sheet.taken.get(place.name, 0) if model.preload else 0
    free = max(0, place.room(PLAN_SHARE) - taken)
    sums = f"{PLAN_SHARE:.0%} of {in_gib(place.memory_bytes)} - {in_gib(place.system_bytes)} system"
    if taken:
        sums += f" - {in_gib(taken)} for {', '.join(sheet.held[place.name])}"
    if len(sheet.held.get(place.name, ())) >= place.most_models and model.preload:
        return f"{place.name} keeps at most {place.most_models} models at once"
    return f"{place.name} has room for {in_gib(free)} ({sums})"
