"""Sticky by model: the customer's plain rule, and the same rule binding late."""

from orion_lab.sim.asks import Ask
from orion_lab.sim.peers.gates import Gate, alive
from orion_lab.sim.peers.plain import Turns
from orion_lab.sim.views import BoardView, View


class Sticky:
    """A healthy board with the model resident is preferred; else the least loaded one."""

    name = "sticky"
    fifo = True

    def __init__(self, seed: int = 0) -> None:
        self._turns, self._gate = Turns(seed), Gate()

    def watch(self, view: View) -> None:
        """The gate has a memory: it sees every report."""
        self._gate.see(view)

    def choose(self, ask: Ask, view: View) -> str:
        """Among several with the model, the least loaded."""
        boards = alive(view)
        healthy = [board for board in boards if self._gate.admits(board)] or boards
        having = [board for board in healthy if ask.model in board.resident]
        return self._turns.took(self._turns.least_loaded(having or healthy))


class StickyLate:
    """The plain rule from a central queue: in arrival order, each request goes to a healthy board
    with its model and room in the window, else to the least loaded healthy one with room."""

    name = "sticky late, window 2"
    window = 2

    def __init__(self, seed: int = 0) -> None:
        self._turns, self._gate = Turns(seed), Gate()

    def watch(self, view: View) -> None:
        """The gate has a memory: it sees every report."""
        self._gate.see(view)

    def plan(self, view: View) -> list[tuple[str, str]]:
        """One pass over the queue."""
        room = {board.name: board.free_slots for board in view.boards if self._gate.admits(board)}
        open_ = [board for board in view.boards if room.get(board.name, 0) > 0]
        taken: list[tuple[str, str]] = []
        for ask in view.queue:
            having = [board for board in open_ if ask.model in board.resident]
            if not open_:
                break
            board = self._pick(having or open_, room)
            taken.append((ask.request_id, self._turns.took(board)))
            room[board.name] -= 1
            open_ = [each for each in open_ if room[each.name] > 0]
        return taken

    def _pick(self, boards: list[BoardView], room: dict[str, int]) -> BoardView:
        most = max(room[board.name] for board in boards)
        return self._turns.first([board for board in boards if room[board.name] == most])
