"""The policy over minutes of simulated time: arrivals, ends, heat, boards that come and go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from builders.arbitrary import MODELS, ON_DISK, TALKS
from builders.fleets import GIB, fleet, health, held, waiting
from orion_contracts.config import Routing, Thresholds
from orion_contracts.facts import Facts
from orion_contracts.health import ResidentModel
from orion_router.fleet import Fleet, Node, normal
from orion_router.held import Held
from orion_router.learning.learner import Learner
from orion_router.policy import Waiting, assign, outlook
from orion_router.policy.footing import fits
from orion_router.sighting import observe

STEP_S = 5.0
LONGEST_S = 60.0
"""Of any run, its load included."""
NAMES = ("a", "b", "c")


@dataclass
class Board:
    """What the simulated board really does."""

    name: str
    slots: int
    seats: int
    temperature_c: float = 50.0
    draining: bool = False
    alive: bool = True
    memory: list[str] = field(default_factory=list[str])
    """Models, the one used last first."""
    ends_s: dict[str, float] = field(default_factory=dict[str, float])


class Cluster(RuleBasedStateMachine):
    """One step is: something happens, the planner plans, the boards begin what they were given."""

    @initialize(
        slots=st.tuples(*[st.integers(1, 3)] * 3), seats=st.tuples(*[st.integers(1, 2)] * 3)
    )
    def begin(self, slots: tuple[int, ...], seats: tuple[int, ...]) -> None:
        """Three boards with every model on their disks."""
        self.now_s = 1000.0
        self.count = self.seq = 0
        self.queue: dict[str, Waiting] = {}
        self.held: dict[str, dict[str, Held]] = {name: {} for name in NAMES}
        self.suspects = set[str]()
        self.learner = Learner()
        self.boards = {n: Board(n, slots[i], seats[i]) for i, n in enumerate(NAMES)}
        self.nodes: dict[str, Node] = {}
        self.report()

    # --- what happens ------------------------------------------------------------------------

    @rule(
        model=st.sampled_from(MODELS), source=st.sampled_from("st"), long=st.booleans(),
        priority=st.sampled_from(["interactive", "interactive", "batch"]),
        crashes=st.sampled_from([0, 0, 0, 0, 1]), pin=st.sampled_from(["", "", "", "a"]),
        failed=st.sampled_from(["", "", "b"]), talk=st.sampled_from([(), *TALKS]),
    )  # fmt: skip
    def arrive(
        self, model: str, source: str, long: bool, priority: str, crashes: int, pin: str,
        failed: str, talk: Any,
    ) -> None:  # fmt: skip
        """One more request."""
        self.count += 1
        request_id = f"r{self.count:03}"
        self.queue[request_id] = waiting(
            model, request_id, self.now_s, source=source, priority=priority, crashes=crashes,
            pin=pin, failed_on=frozenset({failed} if failed else ()), prefixes=talk,
            input_tokens=400, output_limit=400 if long else 40, score=float(self.count),
        )  # fmt: skip
        self.step()

    @rule(steps=st.integers(1, 6))
    def time_passes(self, steps: int) -> None:
        """Runs end."""
        for _ in range(steps):
            self.now_s += STEP_S
            self.step()

    @rule(name=st.sampled_from(NAMES), celsius=st.floats(40, 85))
    def heat(self, name: str, celsius: float) -> None:
        """A board becomes hotter or cooler."""
        self.boards[name].temperature_c = celsius
        self.now_s += STEP_S
        self.step()

    @rule(name=st.sampled_from(NAMES), draining=st.booleans(), alive=st.booleans())
    def change(self, name: str, draining: bool, alive: bool) -> None:
        """A board drains or returns; one that dies gives back what it had."""
        board = self.boards[name]
        board.draining, board.alive = draining, alive
        if not alive:
            for request_id, mine in self.held[name].items():
                assert mine.meta is not None
                self.queue[request_id] = Waiting(request_id, mine.meta, 0.0, self.now_s)
            self.held[name].clear()
            self.suspects &= {r for mine in self.held.values() for r in mine}
            board.ends_s.clear()
            board.memory.clear()
        self.now_s += STEP_S
        self.step()

    # --- the step ----------------------------------------------------------------------------

    def report(self) -> None:
        """Boards tell how they are; a dead one does not."""
        self.seq += 1
        for name, board in self.boards.items():
            resident = {m: ON_DISK[m] for m in board.memory}
            report = health(
                name, resident, models=ON_DISK, seq=self.seq, temperature_c=board.temperature_c,
                slots=board.slots, seats=board.seats, memory_total_bytes=16 * GIB,
                memory_available_bytes=12 * GIB - sum(resident.values()),
            )  # fmt: skip
            order = tuple(
                ResidentModel(name=m, size_bytes=ON_DISK[m], expires_at=f"{9 - i}")
                for i, m in enumerate(board.memory)
            )
            told = replace(report, resident=order) if board.alive else None
            self.nodes[name] = observe(
                self.nodes.get(name), name, told,
                board.alive, board.draining, frozenset(), self.now_s, Thresholds(),
            )  # fmt: skip
        busy = frozenset(n for n, mine in self.held.items() if mine)
        self.learner.looked(self.nodes, busy, self.now_s)

    @property
    def fleet(self) -> Fleet:
        """As the planner sees it."""
        return fleet(*self.nodes.values())

    def step(self) -> None:
        """What is over ends, boards report, the planner plans, boards begin."""
        for name, board in self.boards.items():
            for request_id in [r for r, end_s in board.ends_s.items() if end_s <= self.now_s]:
                del board.ends_s[request_id]
                mine = self.held[name].pop(request_id)
                self.suspects.discard(request_id)
                assert mine.meta is not None
                tokens = mine.meta.output_limit
                facts = Facts(prompt_s=1.0, output_tokens=tokens, output_s=tokens / 10.0)
                self.learner.finished(self.nodes[name], mine, facts, self.now_s)
        self.report()
        beliefs = self.learner.beliefs(self.now_s)
        queue = list(self.queue.values())
        decisions = assign(queue, self.fleet, self.held, self.now_s, Routing(),
                           suspects=frozenset(self.suspects), beliefs=beliefs)  # fmt: skip
        prospects = outlook(queue, self.fleet, self.held, self.now_s, Routing(),
                            suspects=frozenset(self.suspects), beliefs=beliefs)  # fmt: skip
        given = {d.request_id: d.node for d in decisions}
        assert all(d.verdict == "assign" for d in decisions)
        self.nobody_overtakes_who_starves(given, {r: p.node for r, p in prospects.items()})
        for request_id, name in given.items():
            self.start(self.queue.pop(request_id), name)

    def nobody_overtakes_who_starves(self, given: dict[str, str], planned: dict[str, str]) -> None:
        """On the board that the longest waiting is planned on, no younger request begins. The
        bound: a minute, and what the whole queue takes at the longest."""
        bound_s = 60.0 + LONGEST_S * len(self.queue)
        for item in self.queue.values():
            if item.request_id in given or self.now_s - item.asked_s <= bound_s:
                continue
            board = planned.get(item.request_id)
            younger = [r for r, n in given.items()
                       if n == board and self.queue[r].asked_s > item.asked_s]  # fmt: skip
            assert younger == []

    def start(self, item: Waiting, name: str) -> None:
        """The board begins at once, or it was given what it must not have."""
        board, node, model = self.boards[name], self.nodes[name], normal(item.meta.model)
        assert node.eligible
        assert len(self.held[name]) < board.slots
        assert not self.suspects & set(self.held[name])
        assert not (item.crashes and self.held[name])
        assert fits(node, model)
        in_use = {mine.model for mine in self.held[name].values()} | {item.meta.model}
        assert len(in_use) <= board.seats, "a model would be evicted while it is used"
        load_s = 0.0 if item.meta.model in board.memory else 10.0
        others = [m for m in board.memory if m != item.meta.model]
        kept = [m for m in others if m in in_use] + [m for m in others if m not in in_use]
        board.memory = [item.meta.model, *kept][: board.seats]
        board.ends_s[item.request_id] = self.now_s + load_s + item.meta.output_limit / 10.0
        self.held[name][item.request_id] = held(
            item.meta.model, self.now_s, input_tokens=400, output_limit=item.meta.output_limit,
            prefixes=item.meta.prefixes, source=item.meta.source,
        )  # fmt: skip
        if item.crashes:
            self.suspects.add(item.request_id)

    # --- always ------------------------------------------------------------------------------

    @invariant()
    def each_request_is_in_one_place(self) -> None:
        """Queued or held by one board."""
        if not hasattr(self, "queue"):
            return
        places = [*self.queue, *(r for mine in self.held.values() for r in mine)]
        assert len(places) == len(set(places))

    def teardown(self) -> None:
        """With all boards well again, everybody is served, in no more than the whole work takes."""
        if not hasattr(self, "queue"):
            return
        for board in self.boards.values():
            board.alive, board.draining, board.temperature_c = True, False, 50.0
        steps = 30 + round(len(self.queue) * LONGEST_S / STEP_S)
        for _ in range(steps):
            if not self.queue:
                break
            self.now_s += STEP_S
            self.step()
        assert self.queue == {}


@pytest.mark.timeout(90)
def test_over_minutes_every_request_is_served_and_no_rule_broken() -> None:
    """Whatever arrives, ends, heats up, drains, dies and returns, in any order."""
    run_state_machine_as_test(
        Cluster,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )  # fmt: skip
