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


class Costs(NamedTuple):
    """Of each row, and the lane that is chosen."""

    rows: Sequence[Row]
    costs_s: Sequence[float]
    best: int


class Offered(NamedTuple):
    """What a plan reckoned for one request on one board, in seconds from then."""

    cost_s: float
    """What boards are compared by: times and prices."""
    begin_s: float
    load_s: float


def plain(column: Column, prompt: float, output: float) -> Costs | None:
    """Where nothing tells the boards apart but their rows. None: no board can take it."""
    rows = column.rows
    costs = [start_s + prompt * p + output * d for _, start_s, p, d, _ in rows]
    return Costs(rows, costs, rows[costs.index(min(costs))][0]) if costs else None


def particular(
    item: Waiting, column: Column, lanes: Sequence[Lane], also: Collection[int], output: float,
    cached: Mapping[str, int], pin: str, price: float, tie_s: float,
) -> Costs | None:  # fmt: skip
    """With what is particular to the request: cached prompts, a pin, failures, heat. `also`: lanes
    to look at beside the best for a usual request."""
    prompt = float(item.meta.input_tokens)
    most = max(cached.values(), default=0)
    rows: list[Row] = []
    offers: list[Offer] = []
    for row in (*column.rows, *column.extra(also, price)):
        i, start_s, prefill, decode, dear = row
        lane = lanes[i]
        if (pin and lane.name != pin) or (item.crashes and (lane.held or lane.planned)):
            continue
        saved = cached.get(lane.name, 0)
        work_s = (prompt - saved) * prefill + output * decode
        cost_s = start_s + work_s + dear * (most - saved) * prefill
        if work_s > lane.headroom_s:
            cost_s += lane.too_warm_s(work_s)
        if lane.name in item.failed_on:
            cost_s += FAILED_THERE_S
        rows.append(row)
        offers.append(Offer(cost_s, i, lane.node, column.places[i].load_s, work_s))
    chosen = cheapest(offers, tie_s)
    return None if chosen is None else Costs(rows, [o.cost_s for o in offers], chosen.lane)
