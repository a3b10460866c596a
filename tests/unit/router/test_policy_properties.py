"""What holds for every plan, whatever the fleet and the queue."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from builders.arbitrary import MODELS, NOW_S, TALKS, Cached, World, boards, requests, worlds
from builders.fleets import fleet, held, holds, node, waiting
from orion_contracts.config import Routing, Thresholds
from orion_contracts.meta import Meta
from orion_router.fleet import Node, normal
from orion_router.policy import (
    DEFAULT_TUNING,
    Beliefs,
    Decision,
    Tuning,
    Waiting,
    assign,
    decide,
    outlook,
)
from orion_router.policy.footing import fits, footprint_bytes, room_bytes
from orion_router.policy.order import in_turn
from orion_router.policy.plan import Planning
from orion_router.sighting import observe

pytestmark = pytest.mark.timeout(60)
many = settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
ROUTING = Routing()
K = TypeVar("K")
V = TypeVar("V")
PLAIN_PRICE = Tuning(waste_price=0.0, last_replica=0.5, last_replica_idle=0.5)
"""Prices that do not move with the length of the queue."""


def plan(
    world: World, tuning: Tuning = DEFAULT_TUNING, routing: Routing = ROUTING
) -> list[Decision]:
    return assign(world.queue, world.fleet, world.load, NOW_S, routing, world.cooling,
                  world.suspects, world.beliefs, tuning)  # fmt: skip


def given_to(decisions: list[Decision]) -> dict[str, str]:
    return {each.request_id: each.node for each in decisions if each.verdict == "assign"}


def backwards(book: Mapping[K, V]) -> dict[K, V]:
    return dict(reversed(list(book.items())))


def by_id(world: World) -> dict[str, Waiting]:
    return {item.request_id: item for item in world.queue}


# --- never ---------------------------------------------------------------------------------------


@many
@given(worlds())
def test_no_request_goes_where_it_must_not(world: World) -> None:
    """Never to an excluded board, one that said "not now", one that a suspect has; never without
    the model on its disk; never off a pin that holds; and each at most once."""
    nodes, items = world.fleet.nodes, by_id(world)
    decisions = plan(world)

    assert len({each.request_id for each in decisions}) == len(decisions)
    for request_id, name in given_to(decisions).items():
        board, item = nodes[name], items[request_id]
        assert board.eligible
        assert name not in world.cooling
        assert not world.suspects & set(world.load[name])
        assert normal(item.meta.model) in board.on_disk
        pin = nodes.get(item.meta.pin)
        if pin is not None and name != pin.name:
            model = normal(item.meta.model)
            assert not (pin.eligible and model in pin.on_disk and fits(pin, model))


@many
@given(worlds())
def test_no_board_gets_more_than_its_free_slots(world: World) -> None:
    """What it holds and what it is given now are at most its slots."""
    counts = Counter(given_to(plan(world)).values())

    for board in world.boards:
        assert counts[board.name] <= max(0, board.slots - len(world.load[board.name]))


@many
@given(worlds())
def test_no_request_makes_a_board_run_out_of_memory(world: World) -> None:
    """A load fits beside everything that is in use there, by bytes and by the engine's places."""
    nodes, items = world.fleet.nodes, by_id(world)
    given = given_to(plan(world))
    for name in set(given.values()):
        board = nodes[name]
        new = {normal(items[r].meta.model) for r, n in given.items() if n == name}
        running = {normal(each.model) for each in world.load[name].values()}
        loads = new - board.resident - running
        if not loads:
            continue
        in_use = new | running
        assert all(fits(board, model) for model in loads)
        if len(in_use) > 1:
            assert sum(footprint_bytes(board, m) for m in in_use) <= room_bytes(board)
            assert len(in_use) <= (board.seats or max(1, len(board.resident)))


@many
@given(worlds())
def test_a_suspect_is_alone(world: World) -> None:
    """It goes to a board that holds nothing, and nobody goes there with it."""
    items, given = by_id(world), given_to(plan(world))

    for request_id, name in given.items():
        if items[request_id].crashes:
            assert not world.load[name]
            assert list(given.values()).count(name) == 1


@many
@given(worlds(gates=False))
def test_a_request_returns_to_where_it_failed_only_when_no_other_has_its_model(
    world: World,
) -> None:
    """Neither residency nor a cached prompt draws it back."""
    queue = tuple(replace(item, crashes=0) for item in world.queue)
    world = replace(world, queue=queue, suspects=frozenset())
    nodes, items = world.fleet.nodes, by_id(world)
    for request_id, name in given_to(plan(world)).items():
        item = items[request_id]
        model = normal(item.meta.model)
        if name in item.failed_on and item.meta.pin != name:
            others = set(nodes) - world.cooling - item.failed_on
            assert not any(model in nodes[n].on_disk and fits(nodes[n], model) for n in others)


# --- always --------------------------------------------------------------------------------------


@many
@given(worlds(heat=False))
def test_who_is_planned_on_a_free_board_is_given_to_it(world: World) -> None:
    """Work-conserving: where the plan begins a request at once, it begins at once. A board stays
    idle only when nobody who waits is planned on it."""
    given = given_to(plan(world))
    prospects = outlook(list(world.queue), world.fleet, world.load, NOW_S, ROUTING, world.cooling,
                        world.suspects, world.beliefs)  # fmt: skip
    planned_on = {p.node for p in prospects.values()}

    for board in world.boards:
        if not world.load[board.name] and board.name in planned_on:
            assert board.name in given.values()


@many
@given(worlds(plain=True, gates=False, heat=False))
def test_an_idle_fleet_takes_work(world: World) -> None:
    """With every board idle and one that can take some request, at least one request goes; and no
    request that could go somewhere is left while no board was given any."""
    idle = replace(world, load={board.name: {} for board in world.boards})
    possible = any(
        normal(item.meta.model) in board.on_disk and fits(board, normal(item.meta.model))
        for item in world.queue for board in world.boards
    )  # fmt: skip

    assert bool(given_to(plan(idle))) == possible


@many
@given(worlds())
def test_stopping_early_changes_nothing(world: World) -> None:
    """A step ends when all free slots are spoken for; planned to the end, the same is due."""

    def due(whole: bool) -> dict[str, str]:
        nodes = [n for n in world.boards if n.eligible and n.name not in world.cooling]
        planning = Planning(nodes, world.load, world.beliefs, DEFAULT_TUNING, NOW_S, world.suspects)
        found = planning.run(list(world.queue), 60.0, lambda item: item.meta.pin, whole)
        return {item.request_id: lane.name for item, lane in found}

    assert due(whole=False) == due(whole=True)


@many
@given(worlds(), st.randoms())
def test_a_plan_depends_on_no_order_of_dicts_or_queues(world: World, rng: random.Random) -> None:
    """Boards, what they hold, beliefs and requests in any order: the same decisions."""
    nodes, queue = list(world.boards), list(world.queue)
    rng.shuffle(nodes)
    rng.shuffle(queue)
    names = [n.name for n in nodes]
    load = {name: backwards(world.load[name]) for name in names}
    known = replace(world.beliefs, speeds=backwards(world.beliefs.speeds),
                    usage_s=backwards(world.beliefs.usage_s))  # fmt: skip
    shuffled = replace(world, boards=tuple(nodes), queue=tuple(queue), load=load, beliefs=known)

    def key(decision: Decision) -> str:
        return decision.request_id

    assert sorted(plan(shuffled), key=key) == sorted(plan(world), key=key)


@many
@given(worlds())
def test_a_decision_tells_of_boards_as_they_are(world: World) -> None:
    """Who is chosen comes first, has no obstacle and costs the least of those that were compared;
    warm means resident; depth is the board's slots."""
    items, nodes = by_id(world), world.fleet.nodes
    for each in plan(world):
        if each.verdict != "assign":
            continue
        mine = each.candidates[0]
        resident = normal(items[each.request_id].meta.model) in nodes[each.node].resident
        assert (mine.reason, mine.resident) == ("", resident)
        assert each.residency == ("warm" if resident else "cold")
        assert each.depth == nodes[each.node].slots
        assert mine.terms is not None
        assert mine.terms.completion_s >= mine.terms.first_token_s >= 0.0
        least_s = min(c.terms.cost_s for c in each.candidates if c.terms)
        assert mine.node == each.node
        assert mine.terms.cost_s == pytest.approx(least_s)


# --- monotone ------------------------------------------------------------------------------------


def hotter(board: Node, by_c: float) -> Node:
    assert board.health is not None
    assert board.health.temperature_c is not None
    health = replace(board.health, temperature_c=board.health.temperature_c + by_c)
    return observe(None, board.name, health, board.alive, board.draining, frozenset(), NOW_S,
                   Thresholds())  # fmt: skip


@many
@given(worlds(), st.floats(0, 60), st.integers(0, 4))
def test_heating_a_board_never_moves_the_next_request_onto_it(
    world: World, by_c: float, which: int
) -> None:
    """Of the request whose turn it is: what comes after it may move for what was given before."""
    assume(world.queue and which < len(world.boards))
    board = world.boards[which]
    assume(board.health and board.health.temperature_c is not None)
    heated = list(world.boards)
    heated[which] = hotter(board, by_c)

    def chosen(nodes: tuple[Node, ...]) -> str:
        item = world.queue[0]
        found = outlook([item], fleet(*nodes), world.load, NOW_S, ROUTING, world.cooling,
                        world.suspects, world.beliefs).get(item.request_id)  # fmt: skip
        return found.node if found else ""

    if chosen(tuple(heated)) == board.name:
        assert chosen(world.boards) == board.name


@many
@given(worlds(plain=True), requests("z", plain=True))
def test_a_later_request_takes_nothing_from_an_earlier_one_without_batching(
    world: World, late: Waiting
) -> None:
    """First come, first served on each board, at fixed prices: who was given a board still is."""
    last = replace(late, meta=replace(late.meta, source="", priority="batch"), since_s=NOW_S,
                   score=NOW_S * 1000.0 + 99.0)  # fmt: skip
    queue = tuple(replace(w, meta=replace(w.meta, source="")) for w in world.queue)
    tuning = replace(PLAIN_PRICE, batching=False, patience=0.0, drain_factor=0.0)
    before = given_to(plan(replace(world, queue=queue), tuning))
    after = given_to(plan(replace(world, queue=(*queue, last)), tuning))

    assert {r: n for r, n in after.items() if r != "z"} == before


@many
@given(worlds(plain=True), requests("z", plain=True))
def test_a_later_request_takes_nothing_from_one_that_starves(world: World, late: Waiting) -> None:
    """Batching or not: who has waited beyond the bound keeps what it is given."""
    last = replace(late, since_s=NOW_S, score=NOW_S * 1000.0 + 99.0)
    starving = tuple(replace(w, since_s=w.since_s - 1e5) for w in world.queue)
    before = given_to(plan(replace(world, queue=starving), PLAIN_PRICE))
    after = given_to(plan(replace(world, queue=(*starving, last)), PLAIN_PRICE))

    assert {r: n for r, n in after.items() if r != "z"} == before


# --- the starvation bound ------------------------------------------------------------------------


@many
@given(worlds(heat=False), st.lists(st.integers(0, 11), max_size=6))
def test_nobody_overtakes_on_the_board_that_a_starving_request_is_planned_on(
    world: World, old: list[int]
) -> None:
    """Whoever waited beyond bound and drain time, in whatever order they came: while such a request
    is not given its board, no younger one is given a slot of it."""
    queue = tuple(
        replace(w, since_s=NOW_S - 1e5 - w.score) if i in old else w
        for i, w in enumerate(world.queue)
    )  # fmt: skip
    world = replace(world, queue=queue)
    items, given = by_id(world), given_to(plan(world))
    prospects = outlook(list(queue), world.fleet, world.load, NOW_S, ROUTING, world.cooling,
                        world.suspects, world.beliefs)  # fmt: skip
    for item in queue:
        if item.since_s > NOW_S - 1e5 or item.request_id in given:
            continue
        prospect = prospects.get(item.request_id)
        if prospect is None or not prospect.node:
            continue
        overtakers = [r for r, n in given.items()
                      if n == prospect.node and items[r].since_s > item.since_s]  # fmt: skip
        assert overtakers == []


@many
@given(worlds(gates=False, plain=True, heat=False))
def test_the_eldest_starving_request_gets_a_board_as_soon_as_all_are_free(world: World) -> None:
    """Nothing but the board's own work keeps it waiting."""
    assume(world.queue)
    first = replace(world.queue[0], since_s=-1e6)
    idle = replace(world, queue=(first, *world.queue[1:]),
                   load={board.name: {} for board in world.boards})  # fmt: skip
    model = normal(first.meta.model)
    possible = any(model in board.on_disk and fits(board, model) for board in world.boards)

    assert (first.request_id in given_to(plan(idle))) == possible


# --- order ---------------------------------------------------------------------------------------

turns_st = st.lists(
    st.tuples(st.floats(0, 2000), st.sampled_from(["interactive", "batch"]),
              st.sampled_from(["s", "t", "u"]), st.floats(0, 3)), max_size=30,
)  # fmt: skip


def queue_of(rows: list[tuple[float, str, str, float]]) -> list[Waiting]:
    return [
        waiting(request_id=f"r{i:02}", since_s=row[0], priority=row[1], source=row[2], score=row[3])
        for i, row in enumerate(rows)
    ]


@many
@given(turns_st, st.floats(0, 900), st.randoms())
def test_starving_before_interactive_before_batch(
    rows: list[tuple[float, str, str, float]], drain_s: float, rng: random.Random
) -> None:
    """In any order of the queue; each request has exactly one turn."""
    queue = queue_of(rows)
    work = {item.request_id: rng.uniform(0, 60) for item in queue}
    found = in_turn(queue, 2000.0, DEFAULT_TUNING, 60.0, drain_s, work, {"s": 90.0})
    rng.shuffle(queue)
    again = in_turn(queue, 2000.0, DEFAULT_TUNING, 60.0, drain_s, work, {"s": 90.0})
    bound_s = 60.0 + DEFAULT_TUNING.drain_factor * drain_s

    def rank(item: Waiting) -> int:
        if 2000.0 - item.since_s > bound_s:
            return 0
        return 2 if item.meta.priority == "batch" and 2000.0 - item.since_s < 300.0 else 1

    ranks = [rank(turn.item) for turn in found]
    starving = [turn.item.since_s for turn in found if turn.starving]
    assert found == again
    assert ranks == sorted(ranks)
    assert [turn.starving for turn in found] == [r == 0 for r in ranks]
    assert starving == sorted(starving)
    assert Counter(t.item.request_id for t in found) == Counter(w.request_id for w in queue)


@many
@given(st.lists(st.sampled_from(["s", "t", "u"]), max_size=40), st.floats(0.5, 60))
def test_sources_that_wait_together_are_served_evenly(sources: list[str], work_s: float) -> None:
    """All came at once: as long as a source has requests waiting, no other is ahead of it by more
    than one."""
    queue = [waiting(request_id=f"r{i:02}", since_s=1990.0, score=i, source=s)
             for i, s in enumerate(sources)]  # fmt: skip
    work = {item.request_id: work_s for item in queue}
    found = in_turn(queue, 2000.0, DEFAULT_TUNING, 60.0, 0.0, work, {})
    left, had = Counter(sources), Counter[str]()
    for turn in found:
        had[turn.item.meta.source] += 1
        left[turn.item.meta.source] -= 1
        waits = [s for s in left if left[s] > 0]
        assert all(had[other] - had[s] <= 1 for s in waits for other in had)


@many
@given(st.integers(1, 60), st.floats(0.1, 50), st.floats(0, 59))
def test_a_flood_delays_another_source_by_no_more_than_its_lead(
    flood: int, work_s: float, lead_s: float
) -> None:
    """A source that queued any number of requests `lead_s` earlier has at most as many turns before
    a newcomer as fill that lead, and one more."""
    queue = [waiting(request_id=f"f{i:02}", since_s=1941.0, score=i, source="flood")
             for i in range(flood)]  # fmt: skip
    late = waiting(request_id="late", since_s=1941.0 + lead_s, source="t", score=99.0)
    work = {item.request_id: work_s for item in (*queue, late)}
    found = in_turn([*queue, late], 2000.0, DEFAULT_TUNING, 60.0, 0.0, work, {})
    place = [turn.item.request_id for turn in found].index("late")

    assert place <= (lead_s + 0.1) / work_s + 1.0  # its entries lie milliseconds apart


# --- preferences ---------------------------------------------------------------------------------


@many
@given(st.sampled_from(MODELS), st.sampled_from(TALKS), st.integers(1, 400), st.integers(0, 3),
       st.integers(0, 2000))  # fmt: skip
def test_a_board_that_keeps_the_prompt_wins_when_all_else_is_equal(
    model: str, talk: tuple[tuple[str, int], ...], tokens: int, which: int, more: int
) -> None:
    """Wherever it is in the alphabet, however little it keeps."""
    names = ("a", "b", "c", "d")
    nodes = [node(name, (model,), NOW_S, models=MODELS) for name in names]
    item = waiting(model, since_s=NOW_S, prefixes=talk, input_tokens=400 + more)

    kept = Cached({(normal(model), talk[-1][0]): {names[which]: tokens}})

    decision = decide(item, fleet(*nodes), {}, NOW_S, ROUTING, beliefs=Beliefs(prompts=kept))

    assert decision.node == names[which]
    assert decision.candidates[0].node == names[which]


@many
@given(st.sampled_from(MODELS), st.integers(0, 3), st.integers(0, 4000))
def test_the_home_of_a_model_wins_when_all_else_is_equal(
    model: str, which: int, tokens: int
) -> None:
    """Sticky, for a request of any length."""
    names = ("a", "b", "c", "d")
    nodes = [node(n, (model,) if i == which else (), NOW_S, models=MODELS)
             for i, n in enumerate(names)]  # fmt: skip

    decision = decide(waiting(model, since_s=NOW_S, input_tokens=tokens), fleet(*nodes), {}, NOW_S,
                      ROUTING)  # fmt: skip

    assert (decision.node, decision.residency) == (names[which], "warm")


@many
@given(st.lists(st.integers(1, 400), min_size=2, max_size=4, unique=True))
def test_else_the_least_loaded_board_wins(rests: list[int]) -> None:
    """No board has the model in memory, all are busy: the one that is free the soonest."""
    names = ("a", "b", "c", "d")[: len(rests)]
    nodes = [node(name, now_s=NOW_S) for name in names]
    load = {n: {"x": held("m2", NOW_S, output_limit=rest)}
            for n, rest in zip(names, rests, strict=True)}  # fmt: skip
    known = Beliefs(outputs={("", ""): 1e4})

    found = outlook([waiting(since_s=NOW_S)], fleet(*nodes), load, NOW_S, ROUTING, beliefs=known)

    assert found["r1"].node == names[rests.index(min(rests))]


@many
@given(worlds(), boards("z"))
def test_least_bad_takes_one_gated_board_at_most(world: World, extra: Node) -> None:
    """Only where no board is eligible, and only one that heat or memory alone excludes."""
    least_bad = Routing(when_no_node_eligible="LeastBad")
    world = replace(world, boards=(*world.boards, extra), load={**world.load, "z": {}})
    used = set(given_to(plan(world, routing=least_bad)).values())
    nodes = world.fleet.nodes

    if world.fleet.eligible:
        assert all(nodes[name].eligible for name in used)
    else:
        assert len(used) <= 1
        assert all(set(nodes[name].reasons) <= {"hot", "ram"} for name in used)


def test_batch_waits_for_interactive_requests_that_came_later() -> None:
    """One free slot: the interactive one takes it."""
    queue = [waiting(request_id="b", since_s=NOW_S - 50, priority="batch"),
             waiting(request_id="i", since_s=NOW_S)]  # fmt: skip

    decisions = assign(queue, fleet(node("a", ("m1",), NOW_S)), {}, NOW_S, ROUTING)

    assert given_to(decisions) == {"i": "a"}
    assert holds("m1")["held-0"].meta == Meta(model="m1")
