"""Which queued request goes where (pure): snapshot in, decisions with their reasons out.

The customer's invariants are kept here and in `fleet`: an excluded board gets nothing, a board with
the model resident is preferred (a load costs its seconds), else the board where the answer is
expected first.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from orion_contracts.config import Routing
from orion_router.fleet import Fleet, Node, normal
from orion_router.policy.beliefs import NO_BELIEFS, Beliefs
from orion_router.policy.explain import SHOWN, candidates, why
from orion_router.policy.lanes import Lane
from orion_router.policy.pins import Pins, pins_of
from orion_router.policy.plan import Planning
from orion_router.policy.pool import pool as boards_for
from orion_router.policy.prices import NOWHERE
from orion_router.policy.shortlist import WHOLE, elsewhere, shortlist
from orion_router.policy.tuning import DEFAULT_TUNING, Tuning
from orion_router.policy.values import Candidate, Decision, Load, Prospect, Waiting

UNKNOWN_MODEL_S = 15.0
"""Boards get this long to tell what they have before a queued request is refused for its model."""
NOBODY: frozenset[str] = frozenset()


def assign(
    queue: Iterable[Waiting],
    fleet: Fleet,
    load: Load,
    now_s: float,
    routing: Routing,
    cooling: frozenset[str] = NOBODY,
    suspects: frozenset[str] = NOBODY,
    beliefs: Beliefs = NO_BELIEFS,
    tuning: Tuning = DEFAULT_TUNING,
) -> list[Decision]:
    """Decide for the queued requests; those that simply wait are left out.

    `cooling`: boards whose engine said "not now" a moment ago. `suspects`: running requests that
    saw a crash; each has its board to itself.
    """
    pool = boards_for(fleet, routing)
    decisions: list[Decision] = []
    possible = list(queue)
    models = {item.meta.model for item in possible}
    if not pool or not all(map(fleet.knows, models)):
        refused = [_refusal(item, fleet, pool, now_s, routing) for item in possible]
        decisions = [each for each in refused if each is not None]
        possible = [item for item, no in zip(possible, refused, strict=True) if no is None]
    wanted = {normal(model) for model in models}
    if not any(
        len(load.get(node.name, ())) < node.slots and not wanted.isdisjoint(node.on_disk)
        for node in pool
    ):
        return decisions  # nothing can begin: what waits is planned when a slot is free
    planning = _planning(
        fleet, pool, load, now_s, cooling, suspects, beliefs, tuning, routing.energy_tie_s
    )
    pins = pins_of(fleet, now_s)
    due = planning.run(possible, routing.starvation_bound_s, pins)
    for item, lane in due:
        looked = _looked(item, fleet, load, planning, cooling, beliefs, tuning, pins)
        decisions.append(_given(item, lane, looked))
    return decisions


def decide(
    item: Waiting,
    fleet: Fleet,
    load: Load,
    now_s: float,
    routing: Routing,
    cooling: frozenset[str] = NOBODY,
    suspects: frozenset[str] = NOBODY,
    beliefs: Beliefs = NO_BELIEFS,
    tuning: Tuning = DEFAULT_TUNING,
) -> Decision:
    """The decision for one request alone, with every board that was looked at."""
    pool = boards_for(fleet, routing)
    refused = _refusal(item, fleet, pool, now_s, routing)
    if refused is not None:
        return refused
    planning = _planning(
        fleet, pool, load, now_s, cooling, suspects, beliefs, tuning, routing.energy_tie_s
    )
    pins = pins_of(fleet, now_s)
    due = planning.run_alone(item, routing.starvation_bound_s, pins)
    looked = _looked(item, fleet, load, planning, cooling, beliefs, tuning, pins)
    for _, lane in due:
        return _given(item, lane, looked)
    usable = [each for each in looked if each.terms is not None]
    best = min(usable, key=lambda each: each.terms.cost_s if each.terms else 0.0, default=None)
    return Decision(
        item.request_id, "wait", best.node if best else "",
        why=_waits(best, bool(planning.hopeless)), candidates=looked, model=item.meta.model,
    )  # fmt: skip


def outlook(
    queue: list[Waiting],
    fleet: Fleet,
    load: Load,
    now_s: float,
    routing: Routing,
    cooling: frozenset[str] = NOBODY,
    suspects: frozenset[str] = NOBODY,
    beliefs: Beliefs = NO_BELIEFS,
    tuning: Tuning = DEFAULT_TUNING,
) -> dict[str, Prospect]:
    """Where each waiting request stands, and when it is expected to begin."""
    pool = boards_for(fleet, routing)
    planning = Planning(
        [node for node in pool if node.name not in cooling],
        load, beliefs, tuning, now_s, suspects, routing.energy_tie_s,
    )  # fmt: skip
    planning.run(queue, routing.starvation_bound_s, pins_of(fleet, now_s), whole=True)
    return planning.prospects


def _planning(
    fleet: Fleet,
    pool: tuple[Node, ...],
    load: Load,
    now_s: float,
    cooling: frozenset[str],
    suspects: frozenset[str],
    beliefs: Beliefs,
    tuning: Tuning,
    energy_tie_s: float,
) -> Planning:
    ready = [node for node in pool if node.name not in cooling]
    seen = shortlist(ready, load, beliefs, tuning.heat_term)
    others = elsewhere(fleet, cooling, seen) if len(seen) < len(ready) else NOWHERE
    return Planning(seen, load, beliefs, tuning, now_s, suspects, energy_tie_s, others)


def _looked(
    item: Waiting,
    fleet: Fleet,
    load: Load,
    planning: Planning,
    cooling: frozenset[str],
    beliefs: Beliefs,
    tuning: Tuning,
    pins: Pins,
) -> tuple[Candidate, ...]:
    """Every board, also those that may take no work, for people who ask why; of a large fleet
    those that were compared."""
    nodes: Iterable[Node] = fleet.nodes.values()
    offered = planning.offered(item.request_id)
    if len(fleet.nodes) > WHOLE:
        nodes = [fleet.nodes[name] for name in offered] or islice(nodes, SHOWN)
    return candidates(
        item, nodes, load, planning.lanes, cooling, beliefs, tuning, pins(item), offered
    )


def _waits(best: Candidate | None, hopeless: bool) -> str:
    if hopeless:
        return "its deadline is too near for any board"
    if best is None:
        return "no free board"
    return "its board has to cool first" if best.reason == "resting" else "its board is busy"


def _given(item: Waiting, lane: Lane, looked: tuple[Candidate, ...]) -> Decision:
    warm = normal(item.meta.model) in lane.node.resident
    first = sorted(looked, key=lambda each: each.node != lane.name)
    return Decision(
        item.request_id, "assign", lane.name, lane.slots, "warm" if warm else "cold",
        why(lane.name, looked), tuple(first), item.meta.model,
    )  # fmt: skip


def _refusal(
    item: Waiting, fleet: Fleet, pool: tuple[Node, ...], now_s: float, routing: Routing
) -> Decision | None:
    if not fleet.knows(item.meta.model) and now_s - item.since_s >= UNKNOWN_MODEL_S:
        return Decision(
            item.request_id, "model_not_found", why="no board has this model", model=item.meta.model
        )
    if not pool and routing.when_no_node_eligible == "Reject":
        return Decision(
            item.request_id,
            "no_node_eligible",
            why="no board may take work now",
            model=item.meta.model,
        )
    return None
