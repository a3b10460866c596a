"""The customer's health gates, as every gated policy uses them."""

from collections.abc import Sequence

from orion_lab.sim.views import BoardView, View

HOT_C, COOL_C = 75.0, 70.0
FULL_SHARE, ROOMY_SHARE = 0.90, 0.85


class Gate:
    """Excludes a board above 75 °C until 70, and above 90 % of memory until 85."""

    def __init__(self) -> None:
        self._hot: set[str] = set()
        self._full: set[str] = set()

    def see(self, view: View) -> None:
        """Take notice of the reports in this view."""
        for board in view.boards:
            _switch(self._hot, board.name, board.temperature_c, HOT_C, COOL_C)
            _switch(self._full, board.name, board.used_share, FULL_SHARE, ROOMY_SHARE)

    def admits(self, board: BoardView) -> bool:
        """Whether this board may get work."""
        return board.name not in self._hot and board.name not in self._full


def alive(view: View) -> Sequence[BoardView]:
    """Boards that are known to live; all of them if none does."""
    return [board for board in view.boards if board.alive] or view.boards


def _switch(excluded: set[str], name: str, value: float, out: float, back: float) -> None:
    if value > out:
        excluded.add(name)
    elif value <= back:
        excluded.discard(name)
