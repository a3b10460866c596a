"""Many runs on a few processes: the one module here that is not pure."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.results import Result
from orion_lab.sim.runs import PolicyFactory, run
from orion_lab.sim.workloads import Workload

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job:
    """One run, as a value that can be sent to a process."""

    fleet: Fleet
    workload: Workload
    policy_factory: PolicyFactory
    seed: int
    conditions: Conditions


def execute(job: Job) -> Result:
    """Do it."""
    return run(job.fleet, job.workload, job.policy_factory, job.seed, conditions=job.conditions)


def map_in_processes(
    function: Callable[[T], R], values: Iterable[T], processes: int = 2
) -> list[R]:
    """Results in the order of the values; with one process, in this one."""
    if processes <= 1:
        return [function(value) for value in values]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(function, values, chunksize=1))


def compare(
    fleet: Fleet,
    workload: Workload,
    policies: Sequence[PolicyFactory],
    seeds: Sequence[int],
    conditions: Conditions | None = None,
    processes: int = 2,
) -> list[list[Result]]:
    """Every policy on the same seeds: a list per policy, in the order of the seeds."""
    world = conditions or Conditions()
    jobs = [Job(fleet, workload, each, seed, world) for each in policies for seed in seeds]
    results = map_in_processes(execute, jobs, processes)
    count = len(seeds)
    return [results[start : start + count] for start in range(0, len(results), count)]
