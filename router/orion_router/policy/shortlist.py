"""Of a large fleet, the boards that one planning step looks at (pure)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from orion_router.fleet import Fleet, Node
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.stands import stand
from orion_router.policy.values import Load

WHOLE = 128
"""A fleet up to this size is planned as a whole."""
BUSY = 64
"""Of a larger one, so many boards without a free slot."""
NOTHING: Mapping[str, Held] = {}


def elsewhere(fleet: Fleet, cooling: frozenset[str], seen: Iterable[Node]) -> Mapping[str, int]:
    """How often each model is in memory on eligible boards that are not looked at. `cooling`: they
    are not asked for anything."""
    found = dict(fleet.copies)
    resting = [fleet.nodes[name] for name in cooling if name in fleet.nodes]
    for node in (*seen, *(node for node in resting if node.eligible)):
        for model in node.resident:
            found[model] -= 1
    return found


def shortlist(
    nodes: Sequence[Node], load: Load, beliefs: Beliefs, heat: bool = True
) -> Sequence[Node]:
    """All boards with a free slot, so that none stays idle, and of the others those that are
    expected to have one first: a request may be better off waiting for one of these. `heat`:
    whether it slows them down, as for the plan."""
    if len(nodes) <= WHOLE:
        return nodes
    free: list[Node] = []
    busy: list[tuple[float, str, Node]] = []
    for node in nodes:
        held = load.get(node.name, NOTHING)
        if len(held) < node.slots:
            free.append(node)
        else:
            busy.append((stand(node, held, beliefs, heat).first_at_s, node.name, node))
    if not busy:
        return nodes
    return free + [node for *_, node in heapq.nsmallest(BUSY, busy)]
