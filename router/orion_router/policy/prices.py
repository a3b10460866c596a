"""What board time that others would lose counts for in one planning step (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orion_router.policy.lanes import Lane
from orion_router.policy.tuning import Tuning


class Prices(NamedTuple):
    """For all requests of a step the same."""

    waste: float = 0.0
    """Of a second of loading, or of reading a lost prefix again."""
    replica: float = 0.0
    """Of pushing a model out of the only board that has it in memory, in times of its load."""
    copies: Mapping[str, int] = {}
    """Boards that have each model in memory."""
    slots: int = 0
    """Of all boards."""
    prompts: float = 0.0
    """Of a second of reading a prompt again that a model takes with it."""
    displaced: float = 0.0
    """The same of one that an idle board loses to the next. The only idle board will lose it
    anyway, so the more others are idle, the higher."""


NOWHERE: Mapping[str, int] = {}
FREE = Prices()


def prices(
    lanes: Iterable[Lane], elsewhere: Mapping[str, int], queued: int, tuning: Tuning
) -> Prices:
    """`elsewhere`: copies on boards that are not planned for; `queued`: requests that wait."""
    slots = open_boards = idle = many = 0
    copies = dict(elsewhere)
    for lane in lanes:
        many += 1
        slots += lane.slots
        open_boards += lane.free > 0
        idle += not lane.held
        for model in lane.memory:
            copies[model] = copies.get(model, 0) + 1
    lost = tuning.lost_prompts if tuning.prefix_term else 0.0
    return Prices(
        tuning.waste_price * min(1.0, queued / (2.0 * slots)),
        tuning.last_replica_idle if open_boards > queued else tuning.last_replica,
        copies,
        slots,
        lost,
        lost * (idle - 1) / (many - 1) if idle > 1 else 0.0,
    )
