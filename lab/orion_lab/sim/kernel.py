"""The event loop: arrivals, completions, health reports and deaths, in the order of their times."""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count

from orion_lab.sim.asks import Ask
from orion_lab.sim.board import Board
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.outcomes import Outcome, Record, Sample
from orion_lab.sim.policies import Early, Late, Learns, Policy, Watches
from orion_lab.sim.service import Service
from orion_lab.sim.traffic import Source
from orion_lab.sim.views import View
from orion_lab.sim.workloads import Failure

Event = tuple[float, int, Callable[[], None]]
_GIVE_UP_S = 86_400.0


class Kernel:
    """One run of one policy. Use once."""

    def __init__(
        self,
        boards: list[Board],
        source: Source,
        policy: Policy,
        conditions: Conditions,
        failures: tuple[Failure, ...] = (),
    ) -> None:
        self._boards = boards
        self._by_name = {board.name: board for board in boards}
        self._source, self._policy, self._conditions = source, policy, conditions
        self._late = policy if isinstance(policy, Late) else None
        self._early: Early | None = None if isinstance(policy, Late) else policy
        self._learner = policy if isinstance(policy, Learns) else None
        self._watcher = policy if isinstance(policy, Watches) else None
        self._window: int = getattr(policy, "window", 1)
        self._fifo: bool = self._late is not None or getattr(policy, "fifo", False)
        self._events: list[Event] = []
        self._number = count()
        self._queue: dict[str, Ask] = {}
        self._open = 0  # requests that have yet to arrive or to be answered
        self._now_s = self._progress_s = 0.0
        self._records: list[Record] = []
        self._samples: list[Sample] = []
        self._at(0.0, self._tick)  # before any arrival: a board has always reported
        for ask in source.start():
            self._expect(ask)
        for failure in failures:
            board = boards[failure.board]
            self._at(failure.at_s, partial(self._fail, board))
            self._at(failure.back_s, partial(self._back, board))
        if conditions.sample_every_s > 0.0:
            self._at(0.0, self._sample)

    def run(self) -> Outcome:
        """Until every request is answered.

        Raises:
            RuntimeError: the policy lets requests wait for a day without an answer.
            ValueError: it dispatched to a board that has no room or is dead.
        """
        while self._open:
            self._now_s, _, happen = heappop(self._events)
            if self._now_s > self._progress_s + _GIVE_UP_S:
                raise RuntimeError(f"{self._policy.name}: {self._open} requests are never served")
            happen()
        for board in self._boards:
            board.close(self._now_s)
        return Outcome(self._records, self._boards, self._samples, self._now_s)

    # --- events ---------------------------------------------------------------------------------

    def _at(self, time_s: float, happen: Callable[[], None]) -> None:
        heappush(self._events, (time_s, next(self._number), happen))

    def _expect(self, ask: Ask) -> None:
        self._open += 1
        self._at(ask.arrived_s, partial(self._arrive, ask))

    def _arrive(self, ask: Ask) -> None:
        if self._early is not None:
            self._bind(self._early, ask)
        else:
            self._queue[ask.request_id] = ask
            self._plan()

    def _done(self, board: Board, service: Service) -> None:
        if board.service is not service:
            return  # the board died in between
        board.finish(self._now_s)
        self._open -= 1
        self._progress_s = self._now_s
        self._records.append(Record.of(service, board.name))
        if self._learner is not None:
            self._learner.finished(service.ask, board.name, service.facts())
        follows = self._source.after(service.ask, self._now_s)
        if follows is not None:
            self._expect(follows)
        self._next(board)
        self._plan()

    def _tick(self) -> None:
        for board in self._boards:
            board.report(self._now_s)
        if self._watcher is not None:
            self._watcher.watch(self._view())
        self._plan()
        self._at(self._now_s + self._conditions.health_every_s, self._tick)

    def _sample(self) -> None:
        self._samples.append(Sample.of(self._now_s, len(self._queue), self._boards))
        self._at(self._now_s + self._conditions.sample_every_s, self._sample)

    def _fail(self, board: Board) -> None:
        if board.up:
            lost = board.die(self._now_s)
            self._at(
                self._now_s + self._conditions.noticed_after_s, partial(self._lost, board, lost)
            )

    def _lost(self, board: Board, asks: list[Ask]) -> None:
        """The death is noticed: what the board had, and what it got since, is to be run again."""
        board.seen_alive = board.up
        if not board.up:
            asks = asks + [ask for ask, _ in board.waiting]
            board.waiting.clear()
        if self._early is not None:
            for ask in asks:
                self._bind(self._early, ask)
            return
        queued = [*self._queue.values(), *asks]
        self._queue = {ask.request_id: ask for ask in sorted(queued, key=_arrival)}
        self._plan()

    def _back(self, board: Board) -> None:
        board.up = board.seen_alive = True
        self._next(board)
        self._plan()

    # --- decisions ------------------------------------------------------------------------------

    def _view(self) -> View:
        now_s, window = self._now_s, self._window
        boards = tuple([board.view(now_s, window) for board in self._boards])
        return View(now_s, tuple(self._queue.values()), boards)

    def _bind(self, policy: Early, ask: Ask) -> None:
        board = self._by_name[policy.choose(ask, self._view())]
        board.waiting.append((ask, self._now_s))
        board.hand_over(self._now_s)
        self._next(board)

    def _plan(self) -> None:
        if self._late is None:
            return
        for request_id, name in self._late.plan(self._view()):
            board = self._by_name[name]
            held = len(board.waiting) + (board.service is not None)
            if held >= self._window or not board.seen_alive:
                raise ValueError(f"{self._policy.name}: {name} cannot take {request_id}")
            board.waiting.append((self._queue.pop(request_id), self._now_s))
            self._next(board)

    def _next(self, board: Board) -> None:
        """Let an idle board take the next request of its own queue, in Ollama's order."""
        if board.service is not None or not board.waiting or not board.up:
            return
        chosen = 0
        if not self._fifo and self._conditions.pending_in_order:
            board.hand_over(self._now_s)
            handed = (
                i for i, (ask, _) in enumerate(board.waiting) if ask.request_id in board.handed
            )
            chosen = next(handed, 0)
        elif not self._fifo:
            resident = board.resident
            overtaking = (i for i, (ask, _) in enumerate(board.waiting) if ask.model in resident)
            chosen = next(overtaking, 0)
        ask, dispatched_s = board.waiting.pop(chosen)
        board.handed.discard(ask.request_id)
        service = board.start(ask, dispatched_s, self._now_s)
        if self._late is not None and service.loaded_s > self._now_s:
            self._at(service.loaded_s, self._plan)
        self._at(service.done_s, partial(self._done, board, service))


def _arrival(ask: Ask) -> float:
    return ask.arrived_s
