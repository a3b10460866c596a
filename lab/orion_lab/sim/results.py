"""The figures of a run."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, nan

from orion_lab.sim.outcomes import Outcome, Record, Sample


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: mean and percentiles; NaN of nothing."""

    mean: float
    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(values: Sequence[float]) -> "Latency":
        """Of any number of values."""
        if not values:
            return Latency(nan, nan, nan, nan)
        ordered = sorted(values)
        p50, p95, p99 = (
            ordered[ceil(len(ordered) * percent / 100) - 1] for percent in (50, 95, 99)
        )
        return Latency(sum(ordered) / len(ordered), p50, p95, p99)


@dataclass(frozen=True, slots=True)
class Classes:
    """A latency over all requests, and over each class."""

    overall: Latency
    interactive: Latency
    batch: Latency

    @staticmethod
    def of(records: Sequence[Record], value: Callable[[Record], float]) -> "Classes":
        """Of this property of the records."""
        by = {
            priority: [value(each) for each in records if each.ask.priority == priority]
            for priority in ("interactive", "batch")
        }
        return Classes(
            Latency.of([value(each) for each in records]),
            Latency.of(by["interactive"]),
            Latency.of(by["batch"]),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy made of a workload. Seconds unless said."""

    policy: str
    workload: str
    fleet: str
    seed: int
    requests: int
    first_token: Classes
    completion: Classes
    makespan_s: float
    """From 0 to the last completion."""
    loading_s: float
    loads_per_100: float
    disk_loads_per_100: float
    prefill_s: float
    prefill_saved_s: float
    hot_node_s: float
    """Node-seconds above 80 °C."""
    throttled_s: float
    """Node-seconds of work above 80 °C."""
    max_c: float
    jain: float
    """Jain's index over the users' numbers of answered requests."""
    longest_wait_s: float
    """From arrival until a board began."""
    joules: float
    """Of all boards from 0 to the end, idling included."""
    active_joules: float
    """Of it, what the requests took beyond idling."""
    output_tokens: int
    busy_share: float
    """Of all boards' time, spent on prompts and answers."""
    samples: tuple[Sample, ...] = ()

    @property
    def joules_per_request(self) -> float:
        """Beyond idling, as answers tell it."""
        return self.active_joules / self.requests

    @property
    def joules_per_token(self) -> float:
        """Beyond idling, for each token of the answers; loads and prompts included."""
        return self.active_joules / self.output_tokens


def result(outcome: Outcome, policy: str, workload: str, fleet: str, seed: int) -> Result:
    """The figures of this outcome."""
    records, boards = outcome.records, outcome.boards
    hundreds = len(records) / 100
    makespan_s = max(record.done_s for record in records)
    idle_j = sum(board.spec.power.idle_j(outcome.ended_s) for board in boards)
    active_j = sum(board.joules for board in boards)
    return Result(
        policy=policy,
        workload=workload,
        fleet=fleet,
        seed=seed,
        requests=len(records),
        first_token=Classes.of(records, lambda each: each.to_first_token_s),
        completion=Classes.of(records, lambda each: each.to_completion_s),
        makespan_s=makespan_s,
        loading_s=sum(board.loading_s for board in boards),
        loads_per_100=sum(board.loads for board in boards) / hundreds,
        disk_loads_per_100=sum(board.disk_loads for board in boards) / hundreds,
        prefill_s=sum(board.prefilled_s for board in boards),
        prefill_saved_s=sum(board.saved_s for board in boards),
        hot_node_s=sum(board.hot_s for board in boards),
        throttled_s=sum(board.throttled_s for board in boards),
        max_c=max(board.max_c for board in boards),
        jain=_jain(list(Counter(record.ask.user for record in records).values())),
        longest_wait_s=max(record.waited_s for record in records),
        joules=idle_j + active_j,
        active_joules=active_j,
        output_tokens=sum(record.ask.output_tokens for record in records),
        busy_share=sum(board.busy_s for board in boards) / (len(boards) * outcome.ended_s),
        samples=tuple(outcome.samples),
    )


def _jain(shares: Sequence[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))
