"""The best schedule that annealing finds with full knowledge of lengths and of the future.

Start: the schedule of a real run. Step: move one request to another place on any board, within
about two minutes of where it is; or let two requests change places. A worse schedule is accepted
with probability exp(-increase / warmth); the warmth falls geometrically from 2 % to 0.02 % of the
start's cost divided by the root of the number of requests. Achievable by construction, not proven
optimal; health gates are ignored, and turns of one conversation may change places.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from orion_lab import world
from orion_lab.boards import BoardSpec
from orion_lab.sim.asks import Ask
from orion_lab.sim.bounds.schedule import OBJECTIVES, Orders, Schedule
from orion_lab.sim.outcomes import Record

_NEAR_S = 120.0
_HOT, _COLD = 0.02, 0.0002


@dataclass(frozen=True, slots=True)
class Found:
    """What the search ended with; the objective is a mean per request or the makespan."""

    objective: str
    start_s: float
    best_s: float
    steps: int
    orders: Orders


def orders_of(records: Sequence[Record], names: Sequence[str]) -> Orders:
    """The schedule that a run made."""
    return [
        [
            record.ask
            for record in sorted(records, key=lambda each: each.started_s)
            if record.board == name
        ]
        for name in names
    ]


def anneal(
    boards: Sequence[BoardSpec],
    start: Orders,
    *,
    objective: str = "first token",
    steps: int = 60_000,
    seed: int = 0,
    ambient_c: float = world.AMBIENT_C,
) -> Found:
    """Search from this schedule; `objective` is "first token", "completion" or "makespan"."""
    rng = Random(f"anneal/{seed}")
    schedule = Schedule(boards, start, ambient_c)
    count = sum(map(len, start))

    def cost() -> float:
        if objective != "makespan":
            return schedule.total_s(OBJECTIVES[objective]) / count
        # The second term leads across plateaus: most changes do not touch the last board.
        return schedule.makespan_s + 0.02 * schedule.total_s(OBJECTIVES["completion"]) / count

    now_s = first_s = best_s = cost()
    best = [list(order) for order in schedule.orders]
    for step in range(steps):
        warmth_s = first_s / count**0.5 * _HOT * (_COLD / _HOT) ** (step / steps)
        undos = _step(schedule, rng)
        then_s = cost()
        if then_s <= now_s or rng.random() < exp((now_s - then_s) / warmth_s):
            now_s = then_s
            if now_s < best_s:
                best_s, best = now_s, [list(order) for order in schedule.orders]
        else:
            for undo in reversed(undos):
                schedule.change(*undo)
    final, before = Schedule(boards, best, ambient_c), Schedule(boards, start, ambient_c)
    if objective == "makespan":
        return Found(objective, before.makespan_s, final.makespan_s, steps, best)
    return Found(objective, first_s, best_s, steps, best)


def _step(schedule: Schedule, rng: Random) -> list[tuple[int, int, list[Ask]]]:
    """One random change; what undoes it, in the order it was made."""
    orders = schedule.orders
    board = rng.choice([index for index, order in enumerate(orders) if order])
    place = rng.randrange(len(orders[board]))
    other = rng.randrange(len(orders))
    at_s = schedule.times[board][place].started_s + rng.uniform(-_NEAR_S, _NEAR_S)
    swap = rng.random() < 0.3 and bool(orders[other])
    target = bisect_left([each.started_s for each in schedule.times[other]], at_s)
    if swap:
        return _swap(schedule, board, place, other, min(target, len(orders[other]) - 1))
    ask = orders[board][place]
    undos = [schedule.change(board, place, orders[board][place + 1 :])]
    target = min(target, len(orders[other]))
    undos.append(schedule.change(other, target, [ask, *orders[other][target:]]))
    return undos


def _swap(
    schedule: Schedule, board: int, place: int, other: int, target: int
) -> list[tuple[int, int, list[Ask]]]:
    one, two = schedule.orders[board][place], schedule.orders[other][target]
    undos = [schedule.change(board, place, [two, *schedule.orders[board][place + 1 :]])]
    undos.append(schedule.change(other, target, [one, *schedule.orders[other][target + 1 :]]))
    return undos
