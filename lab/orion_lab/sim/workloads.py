"""The workloads of the study, as values; `source` makes one for a fleet and a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from orion_lab import world
from orion_lab.sim.asks import Ask
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.talk import Habits, Talker
from orion_lab.sim.traffic import Closed, Frozen, Source

MODEL_1B: Final = "llama3.2:1b-instruct-q4_K_M"
MODEL_3B: Final = "llama3.2:3b"
MODEL_7B: Final = "qwen2.5:7b"
MIX: Final = ((MODEL_1B, 0.66), (MODEL_3B, 0.25), (MODEL_7B, 0.09))

# Calibrated against the study's tables: docs/adr/0009.
CHATTING: Final = Habits(
    MIX,
    first_tokens=125.0,
    message_tokens=40.0,
    answer_tokens=60.0,
    turns=5.5,
    think_s=55.0,
    sigma=0.4,
)
ASKING: Final = replace(CHATTING, first_tokens=80.0, turns=1.0, think_s=0.0)
WORKING: Final = replace(
    CHATTING, first_tokens=200.0, answer_tokens=120.0, turns=1.0, priority="batch"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A board, by its place in the fleet, loses power and comes back."""

    board: int
    at_s: float
    back_s: float


@dataclass(frozen=True, slots=True)
class Workload:
    """Closed-loop users (numbers for fleet a, scaled by capacity), a burst, or an open loop."""

    name: str
    users: float = 0.0
    habits: Habits = CHATTING
    batch_users: float = 0.0
    batch_habits: Habits = WORKING
    burst: int = 0
    """Requests on every fleet, each from its own user."""
    burst_within_s: float = 20.0
    lasts_s: float = 3600.0
    ambient_c: float = world.AMBIENT_C
    poorly_cooled: bool = False
    open_loop: bool = False
    """Conversations arrive as a Poisson process and turns do not wait for slow answers."""
    nominal_answer_s: float = 45.0
    """Open loop: how long an answer takes as far as the next turn's time is concerned."""
    trace: tuple[Ask, ...] = ()
    failures: tuple[Failure, ...] = ()

    def on(self, fleet: Fleet) -> Fleet:
        """The fleet that this workload is run on."""
        return fleet.poorly_cooled() if self.poorly_cooled else fleet

    def source(self, fleet: Fleet, seed: int) -> Source:
        """Its requests: the same for every policy."""
        stream = f"{seed}/{self.name}"
        if self.trace:
            return Frozen(self.trace)
        if self.burst:
            return Frozen(self._burst(stream))
        if self.open_loop:
            return Frozen(self._poisson(fleet, stream))
        talkers = _talkers(self.habits, "user", self.users * fleet.capacity, stream)
        talkers += _talkers(self.batch_habits, "batch", self.batch_users * fleet.capacity, stream)
        return Closed(talkers, self.lasts_s)

    def _burst(self, stream: str) -> Sequence[Ask]:
        rng = Random(stream)
        talkers = _talkers(self.habits, "user", self.burst, stream)
        return [talker.ask(rng.uniform(0.0, self.burst_within_s)) for talker in talkers]

    def _poisson(self, fleet: Fleet, stream: str) -> Sequence[Ask]:
        """Conversations begin as often as these users would begin them, served nominally."""
        rng = Random(stream)
        cycle_s = self.habits.think_s + self.nominal_answer_s
        every_s = cycle_s * self.habits.turns / (self.users * fleet.capacity)
        asks: list[Ask] = []
        at_s, number = rng.expovariate(1.0 / every_s), 0
        while at_s < self.lasts_s:
            asks += self._conversation(number, at_s, stream)
            at_s += rng.expovariate(1.0 / every_s)
            number += 1
        return sorted(asks, key=lambda ask: ask.arrived_s)

    def _conversation(self, number: int, at_s: float, stream: str) -> list[Ask]:
        talker = Talker(self.habits, f"user{number:03d}", number, stream)
        turns = [talker.ask(at_s)]
        while talker.goes_on:
            at_s += self.nominal_answer_s + talker.pause_s()
            turns.append(talker.ask(at_s))
        return [turn for turn in turns if turn.arrived_s < self.lasts_s]


def frozen(name: str, asks: Sequence[Ask], like: Workload, within_s: float) -> Workload:
    """An open-loop trace: the requests that arrived within this time."""
    trace = tuple(ask for ask in asks if ask.arrived_s < within_s)
    return replace(like, name=name, trace=trace, lasts_s=within_s)


def _talkers(habits: Habits, kind: str, number: float, stream: str) -> list[Talker]:
    first = 0 if kind == "user" else 1 << 16
    return [
        Talker(habits, f"{kind}{index:03d}", first + index, stream)
        for index in range(round(number))
    ]


CHAT: Final = Workload("chat", users=12)
LIGHT: Final = Workload("light", users=5)
BURST: Final = Workload("burst", burst=60, habits=ASKING)
MIXED: Final = Workload("mixed", users=8, batch_users=6)
HOT: Final = Workload(
    "hot",
    users=14,
    habits=replace(CHATTING, think_s=40.0),
    ambient_c=33.0,
    poorly_cooled=True,
)
POISSON: Final = Workload("poisson", users=12, open_loop=True)
WORKLOADS: Final = {each.name: each for each in (CHAT, LIGHT, BURST, MIXED, HOT, POISSON)}
