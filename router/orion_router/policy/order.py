"""In which order waiting requests are planned (pure).

First who waited beyond the starvation bound, the longest first. Then by class; a batch request
that waited long counts as interactive. Within a class those whose own deadline presses come first:
who would miss it by waiting until the queue is empty, and can still keep it. They go by the last
moment at which they have to begin, all others by a moment in seconds: when the request was
accepted, later by the seconds of work that its source had beyond its share, and by what the same
source has waiting before it. With one source that is first come, first served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import NamedTuple

from orion_router.policy.deadlines import left_s
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import Waiting


class Turn(NamedTuple):
    """A request in its turn."""

    item: Waiting
    starving: bool
    pressed: bool = False
    """By its deadline: what comes later does not overtake it, like a starving one."""


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
    bound_s = starvation_s + tuning.drain_factor * drain_s
    starving: list[tuple[float, float, str, Waiting]] = []
    rest: list[tuple[int, float, float, str, Waiting]] = []
    items = list(queue)
    penalty_s = _overuse(items, usage_s) if tuning.fairness else {}
    ahead: dict[str, float] = {}
    fair = tuning.fairness and len({item.meta.source for item in items}) > 1
    for item in items:
        asked_s = item.asked_s
        if now_s - asked_s > bound_s:
            starving.append((asked_s, item.score, item.request_id, item))
            continue
        meta = item.meta
        batch = meta.priority == "batch" and now_s - asked_s < tuning.batch_ages_s
        work_s = service_s.get(item.request_id, 0.0)
        moment_s = item.place_s + tuning.patience * work_s
        rank = 3 if batch else 1
        if meta.deadline_ms is not None:
            slack_s = left_s(item, now_s) - work_s
            if 0.0 <= slack_s < drain_s:
                rank, moment_s = rank - 1, now_s + slack_s
        rest.append((rank, moment_s, item.score, item.request_id, item))
    starving.sort(key=lambda entry: entry[:3])
    rest.sort(key=lambda entry: entry[:4])
    if fair:
        for at, (rank, moment_s, score, request_id, item) in enumerate(rest):
            source = item.meta.source
            behind_s = ahead.get(source, 0.0)
            ahead[source] = behind_s + service_s.get(request_id, 0.0)
            moment_s += behind_s + penalty_s.get(source, 0.0)
            rest[at] = (rank, moment_s, score, request_id, item)
        rest.sort(key=lambda entry: entry[:4])
    late = (Turn(item, True) for *_, item in starving)
    return [*late, *(Turn(e[4], False, e[0] % 2 == 0) for e in rest)]


def _overuse(items: list[Waiting], usage_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each waiting source had beyond an equal share among them."""
    sources = {item.meta.source for item in items}
    if len(sources) < 2 or not usage_s:
        return {}
    share_s = fsum(usage_s.get(source, 0.0) for source in sources) / len(sources)
    return {s: max(0.0, usage_s.get(s, 0.0) - share_s) for s in sources}
