"""One run: a fleet, a workload, a policy and a seed make an outcome. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from orion_lab.models import model
from orion_lab.sim.asks import Ask
from orion_lab.sim.board import Board
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.kernel import Kernel
from orion_lab.sim.outcomes import Outcome
from orion_lab.sim.policies import Policy
from orion_lab.sim.results import Result, result
from orion_lab.sim.workloads import Workload

PolicyFactory = Callable[[int], Policy]
"""Makes a new policy for a seed (which it may ignore)."""


def simulate(
    fleet: Fleet,
    workload: Workload,
    policy: Policy,
    seed: int,
    conditions: Conditions | None = None,
) -> Outcome:
    """Run this policy until every request is answered."""
    conditions = replace(conditions or Conditions(), ambient_c=workload.ambient_c)
    cooled = workload.on(fleet)
    pairs = zip(cooled.names(), cooled.boards, strict=True)
    boards = [Board(name, spec, conditions) for name, spec in pairs]
    if conditions.placed:
        _place(boards, [name for name, _ in workload.habits.models])
    kernel = Kernel(boards, workload.source(fleet, seed), policy, conditions, workload.failures)
    return kernel.run()


def run(
    fleet: Fleet,
    workload: Workload,
    policy_factory: PolicyFactory,
    seed: int,
    *,
    placed: bool = False,
    prompts_kept: int = 1,
    page_cache: bool = True,
    conditions: Conditions | None = None,
) -> Result:
    """The figures of one run; `conditions` holds further switches of the world."""
    base = conditions or Conditions()
    told = replace(
        base,
        placed=placed or base.placed,
        prompts_kept=max(prompts_kept, base.prompts_kept),
        page_cache=page_cache and base.page_cache,
    )
    policy = policy_factory(seed)
    outcome = simulate(fleet, workload, policy, seed, told)
    return result(outcome, policy.name, workload.name, fleet.name, seed)


def arrivals(
    fleet: Fleet,
    workload: Workload,
    policy_factory: PolicyFactory,
    seed: int,
    conditions: Conditions | None = None,
) -> list[Ask]:
    """The requests of a run in order of arrival: with `workloads.frozen`, an open-loop trace."""
    outcome = simulate(fleet, workload, policy_factory(seed), seed, conditions)
    return sorted((record.ask for record in outcome.records), key=lambda ask: ask.arrived_s)


def _place(boards: Sequence[Board], names: Sequence[str]) -> None:
    """Round robin over the boards; where a board holds several, it goes on with the next model."""
    turn = 0
    for board in boards:
        for _ in range(board.spec.max_loaded):
            board.residents.place(model(names[turn % len(names)]))
            turn += 1
