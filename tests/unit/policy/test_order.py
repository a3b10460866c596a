"""In which order waiting requests are planned."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from builders.fleets import waiting
from builders.worlds import FIXED
from orion_router.policy import Tuning, Waiting
from orion_router.policy.order import Turn, in_turn, overdue

TUNING = FIXED


def turns(
    *items: Waiting,
    now_s: float = 100.0,
    tuning: Tuning = TUNING,
    drain_s: float = 0.0,
    work_s: float | dict[str, float] = 10.0,
    usage_s: dict[str, float] | None = None,
) -> list[Turn]:
    """`work_s`: of each request, or of those named."""
    known = work_s if isinstance(work_s, dict) else {i.request_id: work_s for i in items}
    return in_turn(items, now_s, tuning, 60.0, drain_s, known, usage_s or {})


def order(*items: Waiting, **facts: object) -> str:
    return "".join(turn.item.request_id for turn in turns(*items, **facts))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_with_one_source_first_come_is_first_served() -> None:
    """By the moment of acceptance, then by the queue's own order, then by name."""
    a = waiting(request_id="a", since_s=99.0)
    b = waiting(request_id="b", since_s=98.0)
    c = waiting(request_id="c", since_s=99.0, score=0.5)
    d = waiting(request_id="d", since_s=99.0)

    assert {order(*each) for each in permutations([a, b, c, d])} == {"bcad"}


def test_waiting_counts_from_acceptance_though_another_planner_saw_it() -> None:
    """A takeover is no new arrival."""
    seen_late = waiting(request_id="b", since_s=99.0, accepted_s=90.0)

    assert order(waiting(request_id="a", since_s=95.0), seen_late) == "ba"


def test_batch_comes_after_interactive_until_it_waited_long() -> None:
    """300 s on it counts as interactive, by its own moment."""
    young = waiting(request_id="i", since_s=399.0)
    batch = waiting(request_id="b", since_s=100.1, priority="batch")
    aged = waiting(request_id="o", since_s=100.0, priority="batch")

    assert order(young, batch, aged, now_s=400.0, drain_s=1000.0) == "oib"


def test_who_waited_beyond_the_bound_comes_first_the_longest_first() -> None:
    """Class and fairness count no more; at the bound itself they still do."""
    at_bound = waiting(request_id="a", since_s=40.0)
    beyond = waiting(request_id="b", since_s=39.0, priority="batch")
    longest = waiting(request_id="c", since_s=38.0, priority="batch", source="greedy")

    found = turns(at_bound, beyond, longest, usage_s={"greedy": 900.0})

    assert [(t.item.request_id, t.starving) for t in found] == [
        ("c", True), ("b", True), ("a", False),
    ]  # fmt: skip


def test_starving_requests_of_one_moment_keep_the_queues_order() -> None:
    """Score, then name."""
    items = [waiting(request_id=r, since_s=1.0, score=s) for r, s in
             (("b", 2.0), ("a", 2.0), ("c", 1.0))]  # fmt: skip

    assert {order(*each) for each in permutations(items)} == {"cab"}


def test_the_bound_grows_with_the_time_the_queue_takes() -> None:
    """60 s and the drain time, by its factor."""
    old, young = waiting(request_id="b", since_s=30.0, priority="batch"), waiting(since_s=99.0)

    def starves(drain_s: float, factor: float = 1.0) -> bool:
        found = turns(old, young, drain_s=drain_s, tuning=replace(FIXED, drain_factor=factor))
        return any(turn.starving for turn in found)

    assert starves(9.9)
    assert not starves(10.0)
    assert starves(19.0, 0.5)
    assert not starves(20.0, 0.5)


def test_short_requests_pass_long_ones() -> None:
    """A request of 10 s lets one of 1 s pass that came within so many times the difference."""
    long = waiting(request_id="l", since_s=60.0)
    work = {"l": 10.0, "s": 1.0}

    def passes(after_s: float, patience: float) -> bool:
        short = waiting(request_id="s", since_s=60.0 + after_s)
        return order(short, long, tuning=replace(FIXED, patience=patience), work_s=work) == "sl"

    for patience in (0.5, 1.0, 3.0):
        assert passes(9.0 * patience - 0.1, patience), patience
        assert not passes(9.0 * patience + 0.1, patience), patience


def test_the_only_one_that_waits_starves_by_the_same_bound() -> None:
    """As if it had been planned with others."""
    tuning = replace(FIXED, drain_factor=0.5)

    for priority in ("interactive", "batch"):
        item = waiting(request_id="a", since_s=0.0, priority=priority)
        for drain_s in (0.0, 50.0, 100.0, 250.0, 900.0):
            for now_s in (60.0, 61.0, 86.0, 111.0, 280.0, 299.0, 301.0, 960.0, 961.0):
                (turn,) = turns(item, now_s=now_s, tuning=tuning, drain_s=drain_s)
                late = overdue(item, now_s, 60.0, drain_s, tuning)
                assert late == turn.starving, (priority, drain_s, now_s)


def test_sources_take_turns_by_seconds_of_work() -> None:
    """One source queued four at once, another came a second later: it is second, not fifth."""
    many = [waiting(request_id=str(i), since_s=90.0, score=i, source="x") for i in range(4)]
    late = waiting(request_id="y", since_s=91.0, source="y")

    assert order(*many, late) == "0y123"
    assert order(*many, late, work_s=0.4) == "012y3"
    assert order(*many, late, tuning=replace(FIXED, fairness=False)) == "0123y"


def test_a_request_that_no_board_can_run_costs_nothing() -> None:
    """No speed is known for it: first come, first served."""
    many = [waiting("m9", str(i), 90.0, score=i, source="x") for i in range(3)]

    late = waiting(request_id="y", since_s=91.0, source="y")

    assert order(*many, late, work_s={"y": 10.0}) == "012y"


def test_what_a_source_asked_for_as_batch_delays_only_its_batch() -> None:
    """Its interactive request is reckoned before its batch, whichever came first."""
    batch = [waiting(request_id=str(i), since_s=80.0, priority="batch", source="x")
             for i in range(4)]  # fmt: skip
    mine = waiting(request_id="m", since_s=90.0, source="x")
    other = waiting(request_id="o", since_s=95.0, source="y")

    assert order(*batch, mine, other) == "mo0123"


def test_who_asks_for_much_lets_short_ones_pass() -> None:
    """Those that came later by less than its own work: 30 s of it against 1 s."""
    long = waiting(request_id="l", since_s=60.0)
    tuning = replace(FIXED, patience=1.0)

    def with_short(since_s: float, tuning: Tuning) -> str:
        short = waiting(request_id="s", since_s=since_s)
        return order(long, short, work_s={"l": 30.0, "s": 1.0}, tuning=tuning)

    assert with_short(88.9, tuning) == "sl"
    assert with_short(89.1, tuning) == "ls"
    assert with_short(74.1, replace(FIXED, patience=0.5)) == "sl"
    assert with_short(74.6, replace(FIXED, patience=0.5)) == "ls"


def test_who_had_more_than_its_share_comes_later_by_the_difference() -> None:
    """Of 30 s that two sources had, 20 s by one: 5 s beyond its share of 15 s."""
    greedy = waiting(request_id="g", since_s=90.0, source="g")
    usage = {"g": 20.0, "m": 10.0, "gone": 500.0}

    def modest(since_s: float) -> Waiting:
        return waiting(request_id="m", since_s=since_s, source="m")

    assert order(greedy, modest(94.9), usage_s=usage) == "mg"
    assert order(greedy, modest(95.1), usage_s=usage) == "gm"
    assert order(greedy, modest(94.9), usage_s=usage, tuning=replace(FIXED, fairness=False)) == "gm"


def test_a_source_that_had_nothing_has_no_credit() -> None:
    """It comes in its turn, not before: the share is no claim on the past."""
    first = waiting(request_id="a", since_s=90.0, source="a")
    second = waiting(request_id="b", since_s=91.0, source="b")

    assert order(first, second, usage_s={"b": 0.0, "a": 0.0}) == "ab"
    assert order(first, second) == "ab"
    assert order(second, first, usage_s={"a": 0.5}) == "ab"


def test_who_would_miss_a_deadline_by_waiting_goes_first() -> None:
    """Of a queue of 30 s: who has to begin within that, before who came earlier; the one that has
    to begin first of all, first."""
    a = waiting(request_id="a", since_s=90.0)
    b = waiting(request_id="b", since_s=95.0, deadline_ms=44_999)
    c = waiting(request_id="c", since_s=99.0, deadline_ms=35_000)
    free = waiting(request_id="d", since_s=91.0, deadline_ms=49_000)

    assert order(a, b, c, free, drain_s=30.0) == "cbad"
    assert [t.pressed for t in turns(a, b, c, free, drain_s=30.0)] == [True, True, False, False]


def test_a_deadline_that_cannot_be_kept_presses_nobody() -> None:
    """10 s of work in 9 s: its turn is that of its class, and others keep theirs."""
    late = waiting(request_id="b", since_s=95.0, deadline_ms=14_000)
    just = waiting(request_id="c", since_s=95.0, deadline_ms=15_000)

    assert order(waiting(request_id="a", since_s=90.0), late, just, drain_s=30.0) == "cab"


def test_a_deadline_counts_from_acceptance() -> None:
    """A takeover is no new acceptance."""
    moved = waiting(request_id="b", since_s=99.0, accepted_s=80.0, deadline_ms=50_000)

    assert order(waiting(request_id="a", since_s=75.0), moved, drain_s=21.0) == "ba"
    assert order(waiting(request_id="a", since_s=75.0), moved, drain_s=20.0) == "ab"


def test_a_deadline_passes_neither_class_nor_who_starves() -> None:
    """It presses among its own."""
    batch = waiting(request_id="b", since_s=95.0, deadline_ms=20_000, priority="batch")
    other = waiting(request_id="o", since_s=90.0, priority="batch")
    inter = waiting(request_id="i", since_s=99.0)
    pressed = waiting(request_id="p", since_s=99.0, deadline_ms=20_000)
    starving = waiting(request_id="s", since_s=1.0, priority="batch")

    found = turns(other, batch, inter, pressed, starving, drain_s=30.0)

    assert "".join(t.item.request_id for t in found) == "spibo"
    assert [(t.starving, t.pressed) for t in found] == [
        (True, False), (False, True), (False, False), (False, True), (False, False),
    ]  # fmt: skip


def test_sources_take_turns_among_the_pressed_too() -> None:
    """A deadline on everything is no way around fairness between those that have one."""
    many = [waiting(request_id=str(i), since_s=90.0, score=i, source="x", deadline_ms=30_000)
            for i in range(3)]  # fmt: skip
    late = waiting(request_id="y", since_s=91.0, source="y", deadline_ms=30_000)

    assert order(*many, late, drain_s=60.0) == "0y12"
