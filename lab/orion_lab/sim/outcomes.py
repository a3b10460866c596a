"""The raw outcome of a run: a record per request, the boards' counters, samples for plots."""

from dataclasses import dataclass

from orion_lab.sim.asks import Ask
from orion_lab.sim.board import Board
from orion_lab.sim.service import Service


@dataclass(frozen=True, slots=True)
class Record:
    """One finished request."""

    ask: Ask
    board: str
    dispatched_s: float
    started_s: float
    loaded_s: float
    first_token_s: float
    done_s: float
    from_disk: bool

    @staticmethod
    def of(service: Service, board: str) -> "Record":
        """What became of it."""
        return Record(
            service.ask,
            board,
            service.dispatched_s,
            service.started_s,
            service.loaded_s,
            service.first_token_s,
            service.done_s,
            service.disk,
        )

    @property
    def to_first_token_s(self) -> float:
        """From arrival."""
        return self.first_token_s - self.ask.arrived_s

    @property
    def to_completion_s(self) -> float:
        """From arrival."""
        return self.done_s - self.ask.arrived_s

    @property
    def waited_s(self) -> float:
        """From arrival until a board began with it."""
        return self.started_s - self.ask.arrived_s


@dataclass(frozen=True, slots=True)
class Sample:
    """One instant, for plots; boards in the fleet's order."""

    at_s: float
    queued: int
    """Requests in the router's queue."""
    held: tuple[int, ...]
    """Requests that each board has."""
    temperature_c: tuple[float, ...]
    resident: tuple[tuple[str, ...], ...]

    @staticmethod
    def of(now_s: float, queued: int, boards: list[Board]) -> "Sample":
        """The fleet now."""
        return Sample(
            now_s,
            queued,
            tuple(len(board.waiting) + (board.service is not None) for board in boards),
            tuple(board.temperature_c(now_s) for board in boards),
            tuple(board.resident for board in boards),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that happened."""

    records: list[Record]
    boards: list[Board]
    samples: list[Sample]
    ended_s: float
