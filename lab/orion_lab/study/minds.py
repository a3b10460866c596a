"""How often our policy changes its mind about a request that waits."""

from __future__ import annotations

from orion_lab.sim.ours import Ours
from orion_lab.sim.views import View
from orion_router.fleet import Fleet
from orion_router.policy import Held, Waiting, outlook


class Minds(Ours):
    """Ours, asked after every plan where each waiting request is expected to go. The answer is
    never used; asking costs time, so that this is a policy of its own."""

    def __init__(self) -> None:
        super().__init__(name="ours, counting changes of mind")
        self._planned: dict[str, tuple[str, str]] = {}
        self.returns = 0
        """Changes back to the board before: oscillation."""

    def plan(self, view: View) -> list[tuple[str, str]]:
        """As ours; then look."""
        due = super().plan(view)
        gone = {request_id for request_id, _ in due}
        waiting = [self._item(ask) for ask in view.queue if ask.request_id not in gone]
        if waiting:
            self._look(waiting, view, dict(due))
        for request_id in gone:
            self._planned.pop(request_id, None)
        return due

    def _look(self, waiting: list[Waiting], view: View, due: dict[str, str]) -> None:
        load = {board.name: dict(self._holding(board)) for board in view.boards}
        asks = {ask.request_id: ask for ask in view.queue}
        for request_id, board in due.items():
            load[board][request_id] = Held(
                asks[request_id].model, self._item(asks[request_id]).meta, view.now_s
            )
        prospects = outlook(
            waiting, Fleet(self._nodes), load, view.now_s, self._routing,
            beliefs=self._beliefs(view.now_s), tuning=self._tuning,
        )  # fmt: skip
        for request_id, prospect in prospects.items():
            if not prospect.node:
                continue
            last, before = self._planned.get(request_id, ("", ""))
            if last and last != prospect.node:
                self.changes += 1
                self.returns += before == prospect.node
            if last != prospect.node:
                self._planned[request_id] = (prospect.node, last)
