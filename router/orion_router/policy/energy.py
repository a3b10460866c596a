"""Among boards that are about as fast, the one that needs the least energy (pure).

Energy breaks ties; it never outweighs `tie_s` seconds of a caller's time. All offers are compared
with the fastest one, not pairwise: a chain of near ties would otherwise lead to a slow board.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orion_contracts.power import ESTIMATED
from orion_router.fleet import Node


class Offer(NamedTuple):
    """One board for one request: its cost in seconds, and what is to be done there."""

    cost_s: float
    lane: int
    """Decides between equals, so that the order of the offers does not matter."""
    node: Node
    load_s: float
    work_s: float
    """Prompt and answer."""


def expected_j(node: Node, load_s: float, work_s: float) -> float:
    """Joules beyond idling that the board would take for so much work."""
    model = node.health.power if node.health else None
    return (model or ESTIMATED).active_j(load_s, work_s)


def cheapest(offers: Iterable[Offer], tie_s: float) -> Offer | None:
    """The offer with the fewest expected joules of those whose cost is less than `tie_s` above the
    lowest; with a tie of 0 the lowest cost. None of nothing."""
    known = list(offers)
    if not known:
        return None
    lowest_s = min(offer.cost_s for offer in known)
    near = [offer for offer in known if offer.cost_s - lowest_s < tie_s]
    if len(near) < 2:
        return min(known, key=lambda offer: (offer.cost_s, offer.lane))
    return min(near, key=lambda o: (expected_j(o.node, o.load_s, o.work_s), o.cost_s, o.lane))
