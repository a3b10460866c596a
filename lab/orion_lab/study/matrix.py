"""Which cells the study has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.study.cells import OURS, Cell, Group, cells, in_each_world
from orion_lab.study.contenders import (
    ABLATIONS,
    CHWBL,
    GATED,
    HERD,
    LC,
    MINDS,
    MISLED,
    NO_HEAT,
    STICKY,
    ablated,
)
from orion_lab.study.loads import FROZEN
from orion_lab.study.work import BOUNDS
from orion_lab.study.worlds import COLDER, HOTTER, NO_PAGE_CACHE, STALE

SEEDS: Final = tuple(range(1, 9))
MANY_SEEDS: Final = tuple(range(1, 17))
"""Of `make lab-full`: eight decide little where a ratio is near its target."""
QUICK_POLICIES: Final = (OURS, LC, GATED, STICKY, HERD, CHWBL)
CORE: Final = ("chat", "light", "burst", "mixed", "hot", "open chat", FROZEN)
"""The workloads of the tables and of the p95 promise."""
_LIARS: Final = (COLDER, HOTTER)


def groups(
    workloads: Sequence[str],
    fleets: Sequence[str],
    placed: Sequence[bool] = (False,),
    kept: Sequence[int] = (1,),
) -> list[Group]:
    """All of their combinations."""
    return [
        Group(workload, fleet, start, prompts)
        for workload in workloads
        for fleet in fleets
        for start in placed
        for prompts in kept
    ]


QUICK_GROUPS: Final = [
    *groups(("chat", "burst", "mixed", "hot"), "ab"),
    *groups(("chat", "burst", "mixed"), "ab", placed=(True,)),
]
MAIN_GROUPS: Final = [
    *groups(CORE, "abc", placed=(False, True)),
    *groups(("chat", "light", "mixed", "open chat"), "abc", kept=(8,)),
    *in_each_world(groups(("chat",), "abc"), (NO_PAGE_CACHE,)),
]
BOUND_GROUPS: Final = groups(("burst", FROZEN), "ab")
ABLATION_GROUPS: Final = [
    *groups(("chat", "burst", "mixed", "hot", "open chat"), "ab"),
    *groups(("chat", "mixed"), "ab", kept=(8,)),
]
MISLED_GROUPS: Final = groups(("chat", "light", "burst"), "ab")
STALE_GROUPS: Final = in_each_world(groups(("chat", "burst", "hot"), "ab"), (STALE,))
LYING_GROUPS: Final = in_each_world(groups(("chat", "hot"), "ab"), _LIARS)
MINDS_GROUPS: Final = groups(("chat", "burst", "mixed", "hot"), "ab")


def quick(seeds: Sequence[int] = SEEDS) -> list[Cell]:
    """Of `make lab`."""
    return list(cells(QUICK_GROUPS, QUICK_POLICIES, seeds))


def full(seeds: Sequence[int] = MANY_SEEDS) -> Iterator[Cell]:
    """Of `make lab-full`, in the order of their use."""
    yield from quick(seeds)
    yield from cells(MAIN_GROUPS, (OURS, *PEERS), seeds)
    yield from cells(groups(("hot",), "abc"), (NO_HEAT,), seeds)
    yield from cells(ABLATION_GROUPS, (OURS, *map(ablated, ABLATIONS)), seeds)
    yield from robustness(seeds)
    yield from cells(BOUND_GROUPS, (BOUNDS,), seeds)


def robustness(seeds: Sequence[int] = MANY_SEEDS) -> Iterator[Cell]:
    """Runs with wrong beliefs, old reports and lying thermometers; and how steady the plan is."""
    yield from cells(MISLED_GROUPS, (OURS, STICKY, *map(ablated, MISLED)), seeds)
    yield from cells([*STALE_GROUPS, *LYING_GROUPS], (OURS, STICKY), seeds)
    yield from cells(groups(("hot",), "ab"), (OURS, STICKY), seeds)
    yield from cells(MINDS_GROUPS, (MINDS,), seeds)
