"""The study's workloads by name: those of the simulator, and the open loops made from them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

from orion_lab.sim.fleets import fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.runs import arrivals
from orion_lab.sim.workloads import CHAT, POISSON, WORKLOADS, Workload, frozen

FROZEN: Final = "frozen chat"
FROZEN_S: Final = 1200.0
OPEN: Final = replace(POISSON, name="open chat")
_NAMED: Final = {each.name: each for each in (*WORKLOADS.values(), OPEN)}
NAMES: Final = (*_NAMED, FROZEN)


def workload(name: str, fleet_name: str, seed: int) -> Workload:
    """Look it up. The frozen one is what chat users asked in the first 20 minutes of a run under
    our policy, as an open loop: it favours our policy a little, since it follows its pace.

    Raises:
        KeyError: there is none of this name.
    """
    return _frozen(fleet_name, seed) if name == FROZEN else _NAMED[name]


@cache
def _frozen(fleet_name: str, seed: int) -> Workload:
    asks = arrivals(fleet(fleet_name), CHAT, lambda _: Ours(), seed)
    return frozen(FROZEN, asks, CHAT, FROZEN_S)
