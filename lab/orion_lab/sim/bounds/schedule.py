"""An offline schedule: which board serves what, in which order; and what that costs."""

from collections.abc import Callable, Sequence
from typing import Final

from orion_lab.boards import BoardSpec
from orion_lab.sim.asks import Ask
from orion_lab.sim.bounds.lanes import Lane, State, Times

Orders = list[list[Ask]]
"""Per board, the requests in the order in which it serves them."""

Cost = Callable[[Ask, Times], float]
OBJECTIVES: Final[dict[str, Cost]] = {
    "first token": lambda ask, times: times.first_token_s - ask.arrived_s,
    "completion": lambda ask, times: times.done_s - ask.arrived_s,
}


class Schedule:
    """Lanes with their states before every request, so that changes are cheap to price."""

    def __init__(self, boards: Sequence[BoardSpec], orders: Orders, ambient_c: float) -> None:
        self._lanes = [Lane(spec, ambient_c) for spec in boards]
        self.orders: Orders = [[] for _ in boards]
        self.times: list[list[Times]] = [[] for _ in boards]
        self._states: list[list[State]] = [[lane.begin] for lane in self._lanes]
        for board, order in enumerate(orders):
            self.change(board, 0, list(order))

    def change(self, board: int, since: int, tail: list[Ask]) -> tuple[int, int, list[Ask]]:
        """Replace what this board serves from place `since` on; what undoes it."""
        undo = (board, since, self.orders[board][since:])
        lane, states = self._lanes[board], self._states[board]
        times = self.times[board]
        del self.orders[board][since:], times[since:], states[since + 1 :]
        self.orders[board] += tail
        state = states[-1]
        for ask in tail:
            state, when = lane.serve(state, ask)
            states.append(state)
            times.append(when)
        return undo

    def total_s(self, cost: Cost) -> float:
        """The sum over all requests."""
        return sum(
            cost(ask, times)
            for order, lane in zip(self.orders, self.times, strict=True)
            for ask, times in zip(order, lane, strict=True)
        )

    @property
    def makespan_s(self) -> float:
        """The last completion."""
        return max(lane[-1].done_s for lane in self.times if lane)
