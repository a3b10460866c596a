"""What a cell does when it is run; in a process of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orion_lab.sim.bounds.anneal import anneal, orders_of
from orion_lab.sim.bounds.completion import completion_bound_s
from orion_lab.sim.bounds.makespan import makespan_bound_s
from orion_lab.sim.fleets import fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.results import result
from orion_lab.sim.runs import simulate
from orion_lab.study.cells import Cell
from orion_lab.study.contenders import contender
from orion_lab.study.loads import workload
from orion_lab.study.minds import Minds
from orion_lab.study.rows import Row
from orion_lab.study.worlds import WORLDS

BOUNDS: Final = "bounds"
"""A policy's name in a cell that computes bounds instead of a run."""
STEPS: Final = 60_000


def perform(cell: Cell) -> Row:
    """Run it."""
    group = cell.group
    boards, load = fleet(group.fleet), workload(group.workload, group.fleet, cell.seed)
    if cell.policy == BOUNDS:
        return _bounds(cell)
    policy = contender(cell.policy, boards, cell.seed)
    conditions = replace(
        WORLDS[group.world](boards), placed=group.placed, prompts_kept=group.prompts_kept
    )
    outcome = simulate(boards, load, policy, cell.seed, conditions)
    figures = result(outcome, cell.policy, group.workload, group.fleet, cell.seed)
    extra = dict[str, float]()
    if isinstance(policy, Minds):
        hundreds = figures.requests / 100
        extra = {"changes": policy.changes / hundreds, "returns": policy.returns / hundreds}
    return Row(figures, extra)


def _bounds(cell: Cell) -> Row:
    """Of a given trace: what nothing can beat, and the best that a search with foresight found."""
    group = cell.group
    boards, load = fleet(group.fleet), workload(group.workload, group.fleet, cell.seed)
    outcome = simulate(boards, load, Ours(), cell.seed)
    asks = [record.ask for record in outcome.records]
    orders = orders_of(outcome.records, boards.names())
    found = anneal(boards.boards, orders, steps=STEPS, seed=cell.seed)
    return Row(
        None,
        {
            "makespan_s": makespan_bound_s(boards.boards, asks),
            "completion_s": completion_bound_s(boards.boards, asks),
            "annealed_first_token_s": found.best_s,
        },
    )
