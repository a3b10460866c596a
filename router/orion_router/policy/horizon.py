"""How far into the queue a plan has to go, and what it foresees when it goes to the end (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from orion_router.fleet import normal
from orion_router.policy.lanes import Lane
from orion_router.policy.order import Turn
from orion_router.policy.values import Prospect


def open_until(turns: Sequence[Turn], lanes: Sequence[Lane]) -> dict[int, int]:
    """For each lane with a free slot the last turn that may want it: one for a model there."""
    if len(turns) == 1:
        return {i: 0 for i, lane in enumerate(lanes) if lane.free}
    told = {turn.item.meta.model: at for at, turn in enumerate(turns)}
    last: dict[str, int] = {}
    for name, at in told.items():
        last[normal(name)] = max(at, last.get(normal(name), -1))
    wanted = {
        i: max((last.get(model, -1) for model in lane.node.on_disk), default=-1)
        for i, lane in enumerate(lanes)
        if lane.free
    }
    return {i: at for i, at in wanted.items() if at >= 0}


def foreseen(turns: Sequence[Turn], lanes: Sequence[Lane]) -> dict[str, Prospect]:
    """Where each request stands, and when it begins where it is planned."""
    begins = {
        item.request_id: (lane.name, begin_s) for lane in lanes for item, begin_s in lane.begins()
    }
    found: dict[str, Prospect] = {}
    for position, turn in enumerate(turns):
        node, begin_s = begins.get(turn.item.request_id, ("", inf))
        found[turn.item.request_id] = Prospect(position, node, begin_s)
    return found
