"""In which order waiting requests are planned (pure).

First who waited beyond the starvation bound, the longest first. Then by class; a batch request
that waited long counts as interactive. Within a class those whose own deadline presses come first:
who would miss it by waiting until the queue is empty, and can still keep it. They go by the last
moment at which they have to begin, all others by a moment in seconds: when the request was
accepted, later by a share of its own work (short ones pass), by the seconds of work that its source
had beyond its share, and by what the same source has waiting before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from math import fsum
from typing import NamedTuple

from orion_router.policy.deadlines import left_s
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import CLASS_SCORE, Waiting


class Turn(NamedTuple):
    """A request in its turn."""

    item: Waiting
    starving: bool
    pressed: bool = False
    """By its deadline: what comes later does not overtake it, like a starving one."""


Entry = tuple[int, float, float, str, int, Waiting, float]
"""By what it is sorted: rank, moment, score and name; then where it was, itself, and its work."""


def in_turn(
    queue: Iterable[Waiting],
    now_s: float,
    tuning: Tuning,
    starvation_s: float,
    drain_s: float,
    service_s: Mapping[str, float],
    usage_s: Mapping[str, float],
) -> list[Turn]:
    """`service_s`: expected seconds of work per request. `drain_s`: until the queue is empty."""
    items = list(queue)
    bound_s = starvation_s + tuning.drain_factor * drain_s
    sources = {item.meta.source for item in items}
    fair = tuning.fairness and len(sources) > 1
    patience, batch_ages_s = tuning.patience, tuning.batch_ages_s
    starving: list[tuple[float, float, str, int, Waiting]] = []
    rest: list[Entry] = []
    for at, item in enumerate(items):
        meta, score, request_id = item.meta, item.score, item.request_id
        asked_s = item.since_s if item.since_s <= item.accepted_s else item.accepted_s
        waited_s = now_s - asked_s
        if waited_s > bound_s:
            starving.append((asked_s, score, request_id, at, item))
            continue
        work_s = service_s.get(request_id, 0.0)
        moment_s = score % CLASS_SCORE / 1000.0 + patience * work_s
        rank = 3 if meta.priority == "batch" and waited_s < batch_ages_s else 1
        if meta.deadline_ms is not None:
            slack_s = left_s(item, now_s) - work_s
            if 0.0 <= slack_s < drain_s:
                rank, moment_s = rank - 1, now_s + slack_s
        rest.append((rank, moment_s, score, request_id, at, item, work_s))
    starving.sort()
    rest.sort()
    if fair:
        rest = _in_fairness(rest, _overuse(sources, usage_s))
    late = [Turn(entry[4], True) for entry in starving]
    # Half the time of calling the class, once for each that waits.
    return late + [tuple.__new__(Turn, (e[5], False, e[0] % 2 == 0)) for e in rest]


def overdue(
    item: Waiting, now_s: float, starvation_s: float, drain_s: float, tuning: Tuning
) -> bool:
    """Whether the only one that waits is starving; `drain_s`: of its own work."""
    return now_s - item.asked_s > starvation_s + tuning.drain_factor * drain_s


def _in_fairness(entries: Iterable[Entry], penalty_s: Mapping[str, float]) -> list[Entry]:
    """Each later by what its source had beyond its share, and by what it has waiting before it."""
    ahead: dict[str, float] = {}
    found: list[Entry] = []
    for rank, moment_s, score, request_id, at, item, work_s in entries:
        source = item.meta.source
        behind_s = ahead.get(source, 0.0)
        ahead[source] = behind_s + work_s
        moment_s += behind_s + penalty_s.get(source, 0.0)
        found.append((rank, moment_s, score, request_id, at, item, work_s))
    found.sort()
    return found


def _overuse(sources: Set[str], usage_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each waiting source had beyond an equal share among them."""
    if not usage_s:
        return {}
    share_s = fsum(usage_s.get(source, 0.0) for source in sources) / len(sources)
    return {s: max(0.0, usage_s.get(s, 0.0) - share_s) for s in sources}
