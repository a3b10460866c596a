"""What one request costs on each board that is compared, in seconds (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from orion_router.policy.columns import Column, Row
from orion_router.policy.energy import Offer, cheapest
from orion_router.policy.lanes import Lane
from orion_router.policy.values import Waiting

FAILED_THERE_S = 1e6
"""A board where the request failed before comes after all others."""


Costs = tuple[Sequence[Row], Sequence[float], int]
"""Rows, what each costs, and the lane that is chosen."""


class Offered(NamedTuple):
    """What a plan reckoned for one request on one board, in seconds from then."""

    cost_s: float
    """What boards are compared by: times and prices."""
    begin_s: float
    load_s: float


def plain(column: Column, prompt: float, output: float) -> Costs | None:
    """Where nothing tells the boards apart but their rows. None: no board can take it."""
    rows = column.rows
    if not rows:
        return None
    costs = [start_s + prompt * p + output * d for _, start_s, p, d, _ in rows]
    return rows, costs, rows[costs.index(min(costs))][0]


def particular(
    item: Waiting, column: Column, lanes: Sequence[Lane], also: Collection[int], output: float,
    cached: Mapping[str, int], pin: str, tie_s: float, first: bool = False,
) -> Costs | None:  # fmt: skip
    """With what is particular to the request: cached prompts, a pin, failures, heat. `also`: lanes
    to look at beside the best for a usual request. `first`: it waited so long that it does not pay
    for the prompt that an idle board loses."""
    prompt = float(item.meta.input_tokens)
    most = max(cached.values(), default=0)
    failed_on, suspect = item.failed_on, item.crashes
    rows: list[Row] = []
    costs: list[float] = []
    works: list[float] = []
    for row in (*column.rows, *column.extra(also)):
        i, start_s, prefill, decode, dear = row
        lane = lanes[i]
        name = lane.name
        if (pin and name != pin) or (suspect and (lane.held or lane.planned)):
            continue
        saved = cached.get(name, 0)
        work_s = (prompt - saved) * prefill + output * decode
        cost_s = start_s + work_s + dear * (most - saved) * prefill
        if (first or saved) and lane.idle:
            # Its own conversation goes on there, the surer the more of its prompt that is.
            own = 1.0 if first else min(1.0, 2.0 * saved / prompt)
            cost_s -= column.displaced_s.get(i, 0.0) * own
        if work_s > lane.headroom_s:
            cost_s += lane.too_warm_s(work_s)
        if name in failed_on:
            cost_s += FAILED_THERE_S
        rows.append(row)
        costs.append(cost_s)
        works.append(work_s)
    if not rows:
        return None
    if tie_s <= 0.0:
        least_s = min(costs)
        near = [row[0] for row, cost_s in zip(rows, costs, strict=True) if cost_s == least_s]
        return rows, costs, min(near)
    offers = [
        Offer(cost_s, row[0], lanes[row[0]].node, column.places[row[0]].load_s, work_s)
        for row, cost_s, work_s in zip(rows, costs, works, strict=True)
    ]
    chosen = cheapest(offers, tie_s)
    return None if chosen is None else (rows, costs, chosen.lane)
