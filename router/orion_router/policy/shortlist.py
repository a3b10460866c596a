"""Of a large fleet, the boards that one planning step looks at (pure)."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from math import inf

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.ends import End, ends
from orion_router.policy.heat import derate
from orion_router.policy.values import Load

WHOLE = 128
"""A fleet up to this size is planned as a whole."""
BUSY = 64
"""Of a larger one, so many boards without a free slot."""
NOTHING: Mapping[str, Held] = {}


def shortlist(nodes: Sequence[Node], load: Load, beliefs: Beliefs) -> Sequence[Node]:
    """All boards with a free slot, so that none stays idle, and of the others those that are
    expected to have one first: a request may be better off waiting for one of these."""
    if len(nodes) <= WHOLE:
        return nodes
    free = [node for node in nodes if len(load.get(node.name, NOTHING)) < node.slots]
    if len(free) == len(nodes):
        return nodes
    busy = [
        (_free_at_s(node, held, beliefs), node.name, node)
        for node in nodes
        if len(held := load.get(node.name, NOTHING)) >= node.slots
    ]
    return free + [node for *_, node in heapq.nsmallest(BUSY, busy)]


def _free_at_s(node: Node, held: Mapping[str, Held], beliefs: Beliefs) -> float:
    """The moment of its first expected end, as it was last worked out."""
    first_s, known = inf, node.ends
    for request_id, each in held.items():
        end: End | None = known.get(request_id)
        if end is None:
            model = normal(each.model)
            pace = beliefs.speed(node, model)
            end = ends(node, model, pace, request_id, each, beliefs, derate(node))
        if end.expected_at_s < first_s:
            first_s = end.expected_at_s
    return first_s
