"""Fleets, queues and what boards hold, as mixed as they come.

Hypothesis draws sizes and a seed, the rest follows from it: drawing every figure by itself takes
a hundred times as long, and a plan needs many cases more than it needs the smallest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from builders.fleets import GIB, fleet, held, node, waiting
from orion_contracts.prefixes import Prefix
from orion_router.fleet import Fleet, Node
from orion_router.held import Held
from orion_router.policy import Beliefs, Waiting
from orion_router.policy.beliefs import Chain, Running
from orion_router.policy.heat import Climate
from orion_router.policy.speeds import Learned

MODELS = ("m1", "m2", "m3")
NAMES = ("a", "b", "c", "d", "e")
NOW_S = 1000.0
ON_DISK = {"m1": GIB, "m2": 2 * GIB, "m3": 4 * GIB}
TALKS = tuple((Prefix(f"{t}0", 50), Prefix(f"{t}1", 400)) for t in "xyz")


class Cached:
    """Prompt caches by model and the hash of a whole prompt."""

    def __init__(
        self, leaves: dict[tuple[str, str], dict[str, int]], risks: dict[str, float] | None = None
    ) -> None:
        self.leaves, self.risks = leaves, risks or {}

    def kept(self, model: str, chain: Chain) -> dict[str, int]:
        """See `Prompts`."""
        return self.leaves.get((model, chain[-1][0]), {})

    def lasts(self, node: str, model: str, running: Sequence[Running]) -> dict[str, bool]:
        """See `Prompts`."""
        stay = sum(tokens for _, tokens in running) % 2 == 0
        return {leaf: stay for _, leaf in self.leaves}

    def at_risk(self, node: str, model: str, now_s: float, all_of_them: bool) -> float:
        """See `Prompts`."""
        return self.risks.get(node, 0.0) * (2.0 if all_of_them else 1.0)


@dataclass(frozen=True)
class World:
    """What a plan is made from."""

    boards: tuple[Node, ...]
    queue: tuple[Waiting, ...]
    load: dict[str, dict[str, Held]]
    beliefs: Beliefs
    cooling: frozenset[str]
    suspects: frozenset[str]

    @property
    def fleet(self) -> Fleet:
        """All boards."""
        return fleet(*self.boards)


def a_board(rng: Random, name: str, gates: bool = True) -> Node:
    """Any temperature, memory, slots, places, and models on disk and in memory."""
    total = rng.choice([2, 4, 8]) * GIB
    disk = {m: ON_DISK[m] for m in MODELS if rng.random() < 0.8}
    resident = {
        m: rng.choice([0, ON_DISK[m], round(ON_DISK[m] * 1.3)]) for m in disk if rng.random() < 0.3
    }
    facts: dict[str, Any] = {}
    if rng.random() < 0.5:
        facts["seats"] = rng.randint(1, 3)
    share = rng.uniform(0.05 if gates else 0.12, 1.0)
    return node(
        name, resident, NOW_S, models=disk, slots=rng.choice([1, 1, 2, 2, 3, 4]),
        temperature_c=rng.choice([None, 50.0, rng.uniform(30, 95 if gates else 75)]),
        memory_total_bytes=total, memory_available_bytes=round(total * share),
        throttled=rng.choice([None, False, True]),
        draining=gates and rng.random() < 0.1, alive=not gates or rng.random() < 0.9, **facts,
    )  # fmt: skip


def a_request(rng: Random, request_id: str, plain: bool = False) -> Waiting:
    """Any model, length, class, source, age; `plain`: neither pinned, nor suspect, nor failed."""
    facts: dict[str, Any] = {}
    if rng.random() < 0.5:
        facts["prefixes"] = rng.choice(TALKS)
    if not plain:
        facts["pin"] = rng.choice(["", "", "", "a", "b", "nobody"])
        facts["crashes"] = int(rng.random() < 0.15)
        facts["failed_on"] = frozenset("a") if rng.random() < 0.3 else frozenset[str]()
    age_s = rng.choice([0.0, 1.0, 30.0, 70.0, 400.0, rng.uniform(0, 900)])
    return waiting(
        rng.choice(MODELS), request_id, NOW_S - age_s,
        input_tokens=rng.choice([0, 20, 200, rng.randint(0, 4000)]),
        output_limit=rng.choice([0, 1, 50, 2000]),
        priority=rng.choice(["interactive", "interactive", "batch"]),
        source=rng.choice(["", "s", "t"]), score=float(rng.randint(0, 9)), **facts,
    )  # fmt: skip


def a_world(
    rng: Random, sizes: tuple[int, int], plain: bool = False, gates: bool = True, heat: bool = True
) -> World:
    """So many boards and requests. `gates`: some boards may be excluded; `heat`: some climates are
    known."""
    names = NAMES[: sizes[0]]
    nodes = tuple(a_board(rng, name, gates) for name in names)
    queue = tuple(a_request(rng, f"r{i:02}", plain) for i in range(sizes[1]))
    load: dict[str, dict[str, Held]] = {}
    suspects = frozenset[str]()
    for board in nodes:
        running = [rng.choice(MODELS) for _ in range(rng.randint(0, board.slots))]
        load[board.name] = {
            f"{board.name}{i}": held(m, NOW_S - rng.uniform(0, 60),
                                     input_tokens=rng.randint(0, 2000))
            for i, m in enumerate(running)
        }  # fmt: skip
        if running and not plain and rng.random() < 0.15:
            suspects |= {f"{board.name}0"}
    speeds = {
        (name, f"{m}:latest"): Learned(rng.uniform(5, 500), rng.uniform(1, 50), rng.uniform(1, 90))
        for name in names for m in MODELS if rng.random() < 0.5
    }  # fmt: skip
    climates = {
        n: Climate(rng.uniform(60, 110), 40.0) for n in names if heat and rng.random() < 0.5
    }
    leaves = {
        (f"{m}:latest", talk[-1].digest): {rng.choice(NAMES): rng.randint(1, 400)}
        for m in MODELS for talk in TALKS if rng.random() < 0.5
    }  # fmt: skip
    usage = {"s": rng.uniform(0, 900), "t": rng.uniform(0, 900)}
    cooling = frozenset(n for n in names if not plain and rng.random() < 0.15)
    risks = {name: float(rng.randint(1, 900)) for name in names if rng.random() < 0.5}
    known = Beliefs(speeds, {("", ""): rng.uniform(1, 1000)}, Cached(leaves, risks), usage,
                    climates=climates)  # fmt: skip
    return World(nodes, queue, load, known, cooling, suspects)


def worlds(plain: bool = False, gates: bool = True, heat: bool = True) -> st.SearchStrategy[World]:
    """Up to five boards and a dozen requests."""
    sizes = st.tuples(st.integers(0 if gates else 1, len(NAMES)), st.integers(0, 12))

    def build(sizes: tuple[int, int], seed: int) -> World:
        return a_world(Random(seed), sizes, plain, gates, heat)

    return st.builds(build, sizes, st.integers(0, 2**32))


def boards(name: str) -> st.SearchStrategy[Node]:
    """One board."""
    return st.integers(0, 2**32).map(lambda seed: a_board(Random(seed), name))


def requests(request_id: str, plain: bool = False) -> st.SearchStrategy[Waiting]:
    """One request."""
    return st.integers(0, 2**32).map(lambda seed: a_request(Random(seed), request_id, plain))
