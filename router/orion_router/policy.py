"""Which queued request goes where (pure): snapshot in, decisions with their reasons out.

The customer's invariants live here and in `fleet`: an excluded board gets nothing, a board with the
model resident is preferred, else the least loaded one. Scoring is one function, `_rank`, so that
expected completion time can replace it without touching I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from orion_contracts.config import Routing
from orion_contracts.meta import Meta
from orion_router.fleet import Fleet, Node, normal

PATIENCE_S = 5.0
"""How long work waits for a board that has, or is loading, its model before another loads it."""
PIN_LOST_S = 30.0
SETTLED, ARRIVING, EMPTY, STRANGER = range(4)
"""Where a model stands on a board: resident; being loaded; nobody works there; others do."""
UNKNOWN_MODEL_S = 15.0
"""Boards get this long to tell what they have before a queued request is refused for its model."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued request's planning facts; moments by this process's monotonic clock."""

    request_id: str
    meta: Meta
    score: float
    since_s: float
    """When this planner first saw it queued: from then on boards can tell whether they have its
    model."""
    crashes: int = 0
    failed_on: frozenset[str] = frozenset()
    refused_by: str = ""
    """The board whose engine said "not now" last."""
    accepted_s: float = math.inf
    """When it was accepted, where it has waited ever since and another planner had it before: a
    takeover does not begin its patience anew."""


Load = Mapping[str, Mapping[str, str]]
"""Per board: the requests it holds, with their models."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One board looked at for one request: `reason` is empty when it could take the request."""

    node: str
    reason: str = ""
    resident: bool = False
    running: int = 0


Verdict = Literal["assign", "wait", "model_not_found", "no_node_eligible"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a request now, and why."""

    request_id: str
    verdict: Verdict
    node: str = ""
    depth: int = 1
    residency: Literal["warm", "cold"] = "warm"
    why: str = ""
    candidates: tuple[Candidate, ...] = ()


def assign(
    queue: Iterable[Waiting],
    fleet: Fleet,
    load: Load,
    now_s: float,
    routing: Routing,
    cooling: frozenset[str] = frozenset(),
    suspects: frozenset[str] = frozenset(),
) -> list[Decision]:
    """Decide for each queued request, in queue order, as if the earlier decisions were done.

    `cooling`: boards whose engine said "not now" a moment ago. `suspects`: running requests that
    saw a crash; each has its board to itself. Requests that simply wait for a slot are left out.
    """
    taken: dict[str, dict[str, str]] = {name: dict(held) for name, held in load.items()}
    alone = {name for name, held in load.items() if suspects.intersection(held)}
    open_slots = sum(max(0, n.slots - len(taken.get(n.name, ()))) for n in fleet.eligible)
    decisions: list[Decision] = []
    for item in queue:
        decision = decide(item, fleet, taken, now_s, routing, cooling, frozenset(alone))
        if decision.verdict == "wait":
            if open_slots <= 0 and routing.when_no_node_eligible != "LeastBad":
                break
            continue
        decisions.append(decision)
        if decision.verdict == "assign":
            taken.setdefault(decision.node, {})[item.request_id] = item.meta.model
            open_slots -= 1
            if item.crashes:
                alone.add(decision.node)
    return decisions


def decide(
    item: Waiting,
    fleet: Fleet,
    load: Load,
    now_s: float,
    routing: Routing,
    cooling: frozenset[str] = frozenset(),
    alone: frozenset[str] = frozenset(),
) -> Decision:
    """The decision for one request."""
    model = normal(item.meta.model)
    if not fleet.knows(model) and now_s - item.since_s >= UNKNOWN_MODEL_S:
        return Decision(item.request_id, "model_not_found", why="no board has this model")
    pool = _pool(fleet, routing)
    if not pool and routing.when_no_node_eligible == "Reject":
        return Decision(item.request_id, "no_node_eligible", why="no board may take work now")
    pinned = _pin(item.meta.pin, fleet, now_s)
    looked: list[Candidate] = []
    usable: list[tuple[tuple[float | str, ...], Node, bool]] = []
    home_is_full = False
    for node in pool:
        held = load.get(node.name, {})
        resident = model in node.resident
        home = _home(node, model, held)
        reason = _obstacle(node, item, held, model, pinned, cooling, alone)
        looked.append(Candidate(node.name, reason, resident, len(held)))
        if not reason:
            usable.append((_rank(node, home, held, item), node, resident))
        elif reason == "full" and home <= ARRIVING:
            home_is_full = True
    candidates = tuple(looked)
    if not usable:
        return Decision(item.request_id, "wait", why="no free board", candidates=candidates)
    _, best, resident = min(usable, key=lambda entry: entry[0])
    waited_s = now_s - min(item.since_s, item.accepted_s)
    if home_is_full and not resident and waited_s < PATIENCE_S:
        return Decision(
            item.request_id, "wait", why="model is busy elsewhere", candidates=candidates
        )
    return Decision(
        item.request_id, "assign", best.name, best.slots, "warm" if resident else "cold",
        "resident" if resident else "least loaded", candidates,
    )  # fmt: skip


def _pool(fleet: Fleet, routing: Routing) -> tuple[Node, ...]:
    """Eligible boards; under LeastBad, when there is none, the coolest of those only gated."""
    if fleet.eligible or routing.when_no_node_eligible != "LeastBad":
        return fleet.eligible
    gated = [n for n in fleet.nodes.values() if n.reasons and set(n.reasons) <= {"hot", "ram"}]
    return tuple(sorted(gated, key=_discomfort)[:1])


def _discomfort(node: Node) -> tuple[float, str]:
    health = node.health
    celsius = (health.temperature_c or 0.0) if health else 0.0
    percent = (health.ram_used_percent or 0.0) if health else 0.0
    return max(celsius / 75.0, percent / 90.0), node.name


def _pin(pin: str, fleet: Fleet, now_s: float) -> str:
    """The pin, unless its board is gated or gone for long."""
    node = fleet.nodes.get(pin) if pin else None
    if node is None or set(node.reasons) - {"silent"}:
        return ""
    gone = node.lost_since_s is not None and now_s - node.lost_since_s > PIN_LOST_S
    return "" if gone else pin


def _obstacle(
    node: Node,
    item: Waiting,
    held: Mapping[str, str],
    model: str,
    pinned: str,
    cooling: frozenset[str],
    alone: frozenset[str],
) -> str:
    """Why this board cannot take the request now, in one word; empty when it can."""
    if pinned and node.name != pinned:
        return "pinned"
    if model not in node.on_disk:
        return "no_model"
    if node.name in cooling:
        return "cooling"
    if node.name in alone or (item.crashes and held):
        return "suspect"
    if len(held) >= node.slots:
        return "full"
    if len(node.resident) < 2 and _incoming(node, model, held):
        return "switching"
    return ""


def _incoming(node: Node, model: str, held: Mapping[str, str]) -> set[str]:
    """Other models that the board is loading for requests it holds.

    A board that shows one model at a time makes room for the newcomer. Ollama takes a request for
    the leaving model all the same, and with it forgets that it was to leave: whoever waits for the
    newcomer then waits for the whole keep-alive. So they take turns.
    """
    return {normal(each) for each in held.values()} - node.resident - {model}


def _home(node: Node, model: str, held: Mapping[str, str]) -> int:
    """How much at home the model is on the board: smaller is better.

    A board that is loading another model is no home even for a resident one, where there is a
    better: most boards hold one model, and two that take turns there cost a load each time.
    """
    if _incoming(node, model, held):
        return STRANGER
    if model in node.resident:
        return SETTLED
    if model in map(normal, held.values()):
        return ARRIVING
    return STRANGER if held else EMPTY


def _rank(node: Node, home: int, held: Mapping[str, str], item: Waiting) -> tuple[float | str, ...]:
    """Smaller is better: not where it failed before, at home, least loaded, emptiest, coolest."""
    celsius = (node.health.temperature_c or 0.0) if node.health else 0.0
    return (
        int(node.name in item.failed_on),
        home,
        len(held) / node.slots,
        len(node.resident),
        celsius // 5,
        node.name,
    )
