"""Harm to a system: planned from a seed before the run begins (pure), then done on time."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, NamedTuple

from orion_lab.troupe import Troupe

Deed = Literal["kill", "pause"]
WEIGHTS: Final[Mapping[str, int]] = {"worker": 6, "router": 2, "store": 2}
_SETTLE_S: Final = 0.4


class Harm(NamedTuple):
    """At `at_s`, do `deed` to `victim`; it comes back `for_s` seconds later."""

    at_s: float
    deed: Deed
    victim: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Menu:
    """How much of what. `weights`: of the kinds among the kills; times are (least, most)."""

    kills: int = 60
    pauses: int = 10
    span_s: float = 80.0
    weights: Mapping[str, int] = field(default_factory=lambda: WEIGHTS)
    stall_every: int = 5
    """One pause in so many falls on the store, the second first."""
    down_s: tuple[float, float] = (0.0, 0.8)
    pause_s: tuple[float, float] = (5.3, 6.5)
    """Longer than the leases, the 4 s of liveness, and the 5 s that clients wait for the store."""


def plan(seed: int, victims: Mapping[str, Sequence[str]], menu: Menu) -> list[Harm]:
    """The deeds in order of time. Each kind gets its exact share of the kills; pauses fall on the
    workers in turn, and some on the store: then calls time out, are repeated,
    and both arrive. Nobody is killed who is down or paused just then."""
    random = Random(seed)
    deeds: list[Harm] = []
    step = menu.span_s / max(1, menu.pauses)
    for number in range(menu.pauses):
        for_s = random.uniform(*menu.pause_s)
        at_s = step * number + random.random() * max(0.0, step - for_s)
        stalled = victims["store"] if number % menu.stall_every == 1 else victims["worker"]
        victim = stalled[number % len(stalled)]
        deeds.append(Harm(at_s, "pause", victim, for_s))
    kinds = _apportion(menu.kills, menu.weights)
    random.shuffle(kinds)
    step = menu.span_s / max(1, len(kinds))
    for number, kind in enumerate(kinds):
        at_s = step * (number + random.random())
        for_s = random.uniform(*menu.down_s)
        up = [each for each in victims[kind] if not _busy(deeds, each, at_s, at_s + for_s)]
        deeds.append(Harm(at_s, "kill", random.choice(up or list(victims[kind])), for_s))
    return sorted(deeds)


def _busy(deeds: Sequence[Harm], victim: str, start_s: float, end_s: float) -> bool:
    return any(
        deed.victim == victim
        and deed.at_s <= end_s
        and deed.at_s + deed.for_s + _SETTLE_S >= start_s
        for deed in deeds
    )


def _apportion(total: int, weights: Mapping[str, int]) -> list[str]:
    whole = sum(weights.values())
    kinds = [kind for kind, weight in weights.items() for _ in range(total * weight // whole)]
    heaviest = max(weights, key=lambda kind: weights[kind])
    return kinds + [heaviest] * (total - len(kinds))


def inflict(
    troupe: Troupe,
    harms: Sequence[Harm],
    tick: Callable[[Counter[str]], None],
    done: Counter[str],
    wait_s: float = 0.05,
) -> None:
    """Do all of it, call `tick` in between, and leave everybody running; counts into `done`.

    A kill that meets nobody alive does not count: the victim is started and killed then.
    """
    began = time.monotonic()
    # Ties are broken by the number: a victim's return never overtakes its fall.
    agenda = [(harm.at_s, number, "fall", harm) for number, harm in enumerate(harms)]
    heapq.heapify(agenda)
    while agenda:
        now_s = time.monotonic() - began
        tick(done)
        if agenda[0][0] > now_s:
            time.sleep(min(wait_s, agenda[0][0] - now_s))
            continue
        _, number, what, harm = heapq.heappop(agenda)
        if what == "fall":
            _fall(troupe, harm, done)
            heapq.heappush(agenda, (now_s + harm.for_s, number, "rise", harm))
        elif harm.deed == "pause":
            troupe.resume(harm.victim)
        else:
            troupe.restart(harm.victim)


def _fall(troupe: Troupe, harm: Harm, done: Counter[str]) -> None:
    if troupe.pid(harm.victim) is None:
        troupe.restart(harm.victim)
    kind = harm.victim.partition("-")[0]
    if harm.deed == "pause":
        troupe.pause(harm.victim)
        done["pauses"] += 1
        done[f"pauses {kind}"] += 1
    else:
        troupe.kill(harm.victim)
        done["kills"] += 1
        done[f"kills {kind}"] += 1
