"""What a policy sees of the world at one instant: the queue, and the boards as a router knows them.

Named tuples, for speed: a view is made for every event.
"""

from typing import NamedTuple

from orion_lab.boards import BoardSpec
from orion_lab.sim.asks import Ask


class Holding(NamedTuple):
    """A request that a board has: running, or waiting there in the board's own queue."""

    ask: Ask
    dispatched_s: float
    first_token_s: float | None
    tokens_so_far: int


class Report(NamedTuple):
    """A board's temperature as it reported it, and when."""

    at_s: float
    temperature_c: float


class BoardView(NamedTuple):
    """One board. What it holds is true at once (the router's own ledger); its heat is as old as
    the last report that arrived."""

    name: str
    spec: BoardSpec
    alive: bool
    slots: int
    """Requests that this policy lets the board hold (its window)."""
    free_slots: int
    holding: tuple[Holding, ...]
    """The running request first, then those that wait at the board in arrival order."""
    resident: tuple[str, ...]
    """Loaded models and the one that is being loaded, least recently used first."""
    loading: str | None
    reports: tuple[Report, ...]
    """The last few, oldest first; never empty."""
    memory_total_bytes: int
    memory_available_bytes: int

    @property
    def temperature_c(self) -> float:
        """As last reported."""
        return self.reports[-1].temperature_c

    @property
    def used_share(self) -> float:
        """Used memory as the health gate counts it, 0 to 1."""
        return 1.0 - self.memory_available_bytes / self.memory_total_bytes

    @property
    def slope_c_per_s(self) -> float:
        """How fast the last two reports rose; 0 with fewer."""
        if len(self.reports) < 2:
            return 0.0
        before, last = self.reports[-2:]
        return (last.temperature_c - before.temperature_c) / (last.at_s - before.at_s)


class View(NamedTuple):
    """The fleet at one instant. Ambient temperature and true lengths are not in it."""

    now_s: float
    queue: tuple[Ask, ...]
    """In arrival order; always empty for a policy that binds early."""
    boards: tuple[BoardView, ...]

    def report_age_s(self, board: BoardView) -> float:
        """Seconds since this board's last report."""
        return self.now_s - board.reports[-1].at_s
