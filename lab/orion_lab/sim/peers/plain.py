"""Peers that know no models: random, round robin, least connections with and without the gate."""

from collections.abc import Sequence
from random import Random

from orion_lab.sim.asks import Ask
from orion_lab.sim.peers.gates import Gate, alive
from orion_lab.sim.views import BoardView, View


class Turns:
    """Breaks ties: whoever was chosen longest ago comes first, at the start in random order."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"turns/{seed}")
        self._number = 0
        self._last: dict[str, float] = {}

    def _since(self, board: BoardView) -> float:
        if board.name not in self._last:
            self._last[board.name] = -self._rng.random()
        return self._last[board.name]

    def least_loaded(self, boards: Sequence[BoardView]) -> BoardView:
        """The board that holds the fewest requests."""
        return min(boards, key=lambda board: (len(board.holding), self._since(board)))

    def first(self, boards: Sequence[BoardView]) -> BoardView:
        """The board chosen longest ago."""
        return min(boards, key=self._since)

    def took(self, board: BoardView) -> str:
        """Remember the choice; the board's name."""
        self._number += 1
        self._last[board.name] = self._number
        return board.name


class RandomBoard:
    """Any board."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"random/{seed}")

    def choose(self, ask: Ask, view: View) -> str:
        """Uniformly."""
        return self._rng.choice(alive(view)).name


class RoundRobin:
    """One after the other."""

    name = "round robin"

    def __init__(self, seed: int = 0) -> None:
        self._turn = -1

    def choose(self, ask: Ask, view: View) -> str:
        """The next board that lives."""
        boards = alive(view)
        self._turn += 1
        return boards[self._turn % len(boards)].name


class LeastConnections:
    """The board with the fewest requests, as nginx `least_conn` and most gateways do."""

    name = "least connections"

    def __init__(self, seed: int = 0) -> None:
        self._turns = Turns(seed)

    def choose(self, ask: Ask, view: View) -> str:
        """Ties go to the board chosen longest ago."""
        return self._turns.took(self._turns.least_loaded(alive(view)))


class GatedLeastConnections:
    """Least connections among the boards that the health gates let through."""

    name = "least connections, gated"

    def __init__(self, seed: int = 0) -> None:
        self._turns, self._gate = Turns(seed), Gate()

    def watch(self, view: View) -> None:
        """The gate has a memory: it sees every report."""
        self._gate.see(view)

    def choose(self, ask: Ask, view: View) -> str:
        """Among all boards if every one is gated: an early binding cannot wait."""
        boards = alive(view)
        healthy = [board for board in boards if self._gate.admits(board)]
        return self._turns.took(self._turns.least_loaded(healthy or boards))
