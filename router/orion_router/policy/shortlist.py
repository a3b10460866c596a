"""Of a large fleet, the boards that one planning step looks at (pure)."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from math import inf

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.ends import ends
from orion_router.policy.heat import derate
from orion_router.policy.values import Load

WHOLE = 128
"""A fleet up to this size is planned as a whole."""
BUSY = 64
"""Of a larger one, so many boards without a free slot."""
NOTHING: Mapping[str, Held] = {}


def shortlist(
    nodes: Sequence[Node], load: Load, beliefs: Beliefs, heat: bool = True
) -> Sequence[Node]:
    """All boards with a free slot, so that none stays idle, and of the others those that are
    expected to have one first: a request may be better off waiting for one of these. `heat`:
    whether it slows them down, as for the plan."""
    if len(nodes) <= WHOLE:
        return nodes
    free = [node for node in nodes if len(load.get(node.name, NOTHING)) < node.slots]
    if len(free) == len(nodes):
        return nodes
    busy = [
        (_free_at_s(node, held, beliefs, heat), node.name, node)
        for node in nodes
        if len(held := load.get(node.name, NOTHING)) >= node.slots
    ]
    return free + [node for *_, node in heapq.nsmallest(BUSY, busy)]


def _free_at_s(node: Node, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> float:
    """The moment of its first expected end."""
    slower = derate(node) if heat else 1.0
    first_s = inf
    for request_id, each in held.items():
        model = normal(each.model)
        pace = beliefs.speed(node, model)
        end = ends(node, model, pace, request_id, each, beliefs, slower)
        if end.expected_at_s < first_s:
            first_s = end.expected_at_s
    return first_s
