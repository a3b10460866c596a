"""Changed worlds by name: what is untrue or late in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet

STALE: Final = "health 5 s stale"
COLDER: Final = "one thermometer reads 10 °C too little"
HOTTER: Final = "one thermometer reads 10 °C too much"
NO_PAGE_CACHE: Final = "no page cache"
OVERTAKING: Final = "waiting requests for a loaded model overtake at the board"
Change = Callable[[Fleet], Conditions]


def _offset(by_c: float) -> Change:
    """The third board lies: it is the one on fleets a and b that gets warm, and poorly cooled on
    the hot day of every fleet."""
    return lambda fleet: Conditions(thermometer_offset_c={fleet.names()[2]: by_c})


WORLDS: Final[dict[str, Change]] = {
    "": lambda _: Conditions(),
    STALE: lambda _: Conditions(health_stale_s=5.0),
    COLDER: _offset(-10.0),
    HOTTER: _offset(+10.0),
    NO_PAGE_CACHE: lambda _: Conditions(page_cache=False),
    OVERTAKING: lambda _: Conditions(pending_in_order=False),
}
