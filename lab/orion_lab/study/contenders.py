"""The study's policies by name: peers, ours, what ours is without an ingredient, ours misled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from orion_contracts.config import Thresholds
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.ours import Ours, Wrong
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.peers.chwbl import BoundedHashing
from orion_lab.sim.peers.herd import HerdLike
from orion_lab.sim.peers.plain import GatedLeastConnections, LeastConnections
from orion_lab.sim.peers.sticky import Sticky
from orion_lab.sim.policies import Policy
from orion_lab.sim.workloads import MIX
from orion_lab.study.cells import OURS
from orion_lab.study.minds import Minds
from orion_router.policy import DEFAULT_TUNING, Tuning

LC, GATED, STICKY, HERD, CHWBL = (
    LeastConnections.name, GatedLeastConnections.name, Sticky.name, HerdLike.name,
    BoundedHashing.name,
)  # fmt: skip
NO_HEAT: Final = "ours, no thermal rules"
MINDS: Final = "ours, counting changes of mind"
_D: Final = DEFAULT_TUNING

ABLATIONS: Final[dict[str, Tuning]] = {
    "no load time in the estimate": replace(_D, load_term=False),
    "no batching by model": replace(_D, batching=False),
    "no prefix term": replace(_D, prefix_term=False),
    "cached prompts may be lost": replace(_D, lost_prompts=0.0),
    "no heat term": replace(_D, heat_term=False),
    "no fairness": replace(_D, fairness=False),
    "no price of waste": replace(_D, waste_price=0.0),
    "price of waste 0.5": replace(_D, waste_price=0.5),
    "no margin": replace(_D, margin_s=0.0),
    "margin 15 s": replace(_D, margin_s=15.0),
    "decoding weighs half": replace(_D, decode_weight=0.5),
    "fixed bound": replace(_D, drain_factor=0.0),
    "the whole drain time in the bound": replace(_D, drain_factor=1.0),
    "short ones do not pass": replace(_D, patience=0.0),
    "no class ageing": replace(_D, batch_ages_s=1e9),
}
"""Each is `ours` with one thing changed."""

_NO_GATE: Final = Thresholds(temperature_exclude_c=1e6, temperature_return_c=1e6)
_FAST, _SLOW = 1.5, 0.5
MISLED: Final[dict[str, Callable[[Fleet, int], Wrong]]] = {
    "lengths +50 %": lambda _, __: Wrong(lengths=_FAST),
    "lengths -50 %": lambda _, __: Wrong(lengths=_SLOW),
    "rates ±50 % per board": lambda fleet, seed: Wrong(rates=_rates(fleet, seed, alike=True)),
    "rates ±50 % per board and model": lambda fleet, seed: Wrong(rates=_rates(fleet, seed)),
    "rates ±50 % per board, learned anew": lambda fleet, seed: Wrong(
        history=_rates(fleet, seed, alike=True)
    ),
    "rates ±50 % per board and model, learned anew": lambda fleet, seed: Wrong(
        history=_rates(fleet, seed)
    ),
    "rates ±50 %, lengths +50 %": lambda fleet, seed: Wrong(_rates(fleet, seed), _FAST),
    "rates ±50 %, lengths -50 %": lambda fleet, seed: Wrong(_rates(fleet, seed), _SLOW),
}


def ablated(change: str) -> str:
    """The name of this ablation as a policy."""
    return f"{OURS}: {change}"


NAMES: Final = (
    *PEERS, OURS, NO_HEAT, MINDS, *map(ablated, ABLATIONS), *map(ablated, MISLED),
)  # fmt: skip


def contender(name: str, fleet: Fleet, seed: int) -> Policy:
    """A new policy of this name.

    Raises:
        KeyError: there is none.
    """
    if name in PEERS:
        return PEERS[name](seed)
    if name == OURS:
        return Ours()
    if name == MINDS:
        return Minds()
    if name == NO_HEAT:
        return Ours(replace(_D, heat_term=False), name, _NO_GATE)
    change = name.removeprefix(f"{OURS}: ")
    if change in ABLATIONS:
        return Ours(ABLATIONS[change], name)
    return Ours(name=name, wrong=MISLED[change](fleet, seed))


def _rates(fleet: Fleet, seed: int, *, alike: bool = False) -> dict[tuple[str, str], float]:
    """Rates are believed half too high or half too low, and stay so; `alike`: a board's all."""
    rng = Random(f"wrong/{seed}")
    found: dict[tuple[str, str], float] = {}
    for board in fleet.names():
        factor = rng.choice((_FAST, _SLOW))
        for model, _ in MIX:
            found[board, model] = factor if alike else rng.choice((_FAST, _SLOW))
    return found
