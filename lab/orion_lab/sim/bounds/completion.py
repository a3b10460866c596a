"""A bound on the mean time to completion: shortest remaining time first on one great machine."""

from collections.abc import Sequence
from heapq import heappop, heappush

from orion_lab.boards import BoardSpec
from orion_lab.sim.asks import Ask
from orion_lab.sim.bounds.work import least_bytes


def completion_bound_s(boards: Sequence[BoardSpec], asks: Sequence[Ask]) -> float:
    """Seconds. One machine as fast as all boards, no loads, every prefix cached; or each request
    alone on the fastest board, if that is more. Valid and loose."""
    needed = least_bytes(asks)
    fastest = max(spec.decode_bytes_per_s for spec in boards)
    alone_s = sum(needed) / fastest / len(asks)
    together = sum(spec.decode_bytes_per_s for spec in boards)
    jobs = sorted((ask.arrived_s, each / together) for ask, each in zip(asks, needed, strict=True))
    return max(alone_s, _shortest_first(jobs))


def _shortest_first(jobs: Sequence[tuple[float, float]]) -> float:
    """Mean completion of (arrival, seconds) jobs, sorted by arrival; preemption costs nothing."""
    ready: list[tuple[float, float]] = []  # remaining, arrival
    now_s = total_s = 0.0
    coming = 0
    while ready or coming < len(jobs):
        if not ready:
            now_s = max(now_s, jobs[coming][0])
        while coming < len(jobs) and jobs[coming][0] <= now_s:
            heappush(ready, (jobs[coming][1], jobs[coming][0]))
            coming += 1
        left_s, arrived_s = heappop(ready)
        until_s = jobs[coming][0] if coming < len(jobs) else now_s + left_s
        if now_s + left_s <= until_s:
            now_s += left_s
            total_s += now_s - arrived_s
        else:
            heappush(ready, (left_s - (until_s - now_s), arrived_s))
            now_s = until_s
    return total_s / len(jobs)
