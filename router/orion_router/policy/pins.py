"""Requests that have to go to one board (pure)."""

from __future__ import annotations

from collections.abc import Callable

from orion_router.fleet import Fleet, normal
from orion_router.policy.footing import fits
from orion_router.policy.values import Waiting

PIN_LOST_S = 30.0

Pins = Callable[[Waiting], str]
"""The board that a request has to go to; empty: any."""


def pins_of(fleet: Fleet, now_s: float) -> Pins:
    """Pins that hold: not those whose board is gated, gone for long, or lacks what it takes."""

    def pinned(item: Waiting) -> str:
        pin = item.meta.pin
        node = fleet.nodes.get(pin) if pin else None
        if node is None or set(node.reasons) - {"silent"}:
            return ""
        model = normal(item.meta.model)
        if node.health is not None and not (model in node.on_disk and fits(node, model)):
            return ""  # as long as it cannot run it
        gone = node.lost_since_s is not None and now_s - node.lost_since_s > PIN_LOST_S
        return "" if gone else pin

    return pinned
