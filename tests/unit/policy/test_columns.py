"""What one model costs on each board."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders.fleets import held, holds, node, waiting
from builders.worlds import FIXED, LOAD_S, M1, M2, M3, KeptPrompts, about, beliefs, lane
from orion_contracts.config import NodeConfig
from orion_router.fleet import Node
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.columns import LOOKED_AT, Column
from orion_router.policy.fares import heaviest_load_s
from orion_router.policy.lanes import Lane
from orion_router.policy.prices import Prices
from orion_router.policy.speeds import Learned
from orion_router.policy.tuning import Tuning


def column(lanes: list[Lane], price: float = 0.0, tuning: Tuning = FIXED) -> Column:
    return Column(M1, lanes, beliefs(*(each.name for each in lanes)), tuning, Prices(price))


def test_a_row_has_when_it_begins_and_what_a_token_costs() -> None:
    """Resident: at once. To be loaded: 10 s with their price, and the margin. Busy: when free."""
    lanes = [lane(node("a", ("m1",))), lane(node("b")),
             lane(node("c", ("m1",)), holds("m1", output_limit=50))]  # fmt: skip

    assert column(lanes, 0.2).rows == [
        (0, 0.0, 0.01, 0.1, 0.2),
        (1, 10.0 * 1.2 + 5.0, 0.01, 0.1, 0.2),
        (2, about(5.0), 0.01, 0.1, 0.2),
    ]


def test_a_later_batch_costs_the_margin_without_a_load_of_its_own() -> None:
    """The load is another request's; a board that need not switch is better by 5 s all the same."""
    mine = lane(node("a", ("m2",)))
    mine.add(waiting("m1"), M1, mine.place(M1, LOAD_S), 4.0, False)

    assert column([mine]).rows == [(0, 14.0 + 5.0, 0.01, 0.1, 0.0)]


def test_tuning_weighs_the_terms() -> None:
    """Without the load term a load is free; the answer's seconds have their weight."""
    lanes = [lane(node("a"))]

    assert column(lanes, 0.5, replace(FIXED, load_term=False)).rows == [(0, 5.0, 0.01, 0.1, 0.5)]
    assert column(lanes, 0.5, replace(FIXED, margin_s=1.0, decode_weight=0.5)).rows == [
        (0, 16.0, 0.01, 0.05, 0.5)
    ]


def test_work_that_any_board_can_do_goes_to_the_one_that_others_need_least() -> None:
    """A second that a board takes longer to load its largest model is worth a twentieth."""
    storage = NodeConfig(storage_bytes_per_second=400e6)
    slow = lane(node("a", ("m1",), models={"m1": 10, "m2": 2_000_000_000}))
    fast = lane(node("b", ("m1",), models={"m1": 10, "m2": 2_000_000_000}, said=storage))
    found = column([slow, fast], tuning=replace(FIXED, versatility=0.05))

    assert [row[1] for row in found.rows] == [about(-0.05 * (0.5 + 2000 / 72)), about(-0.05 * 5.5)]
    assert heaviest_load_s(slow.node) == about(0.5 + 2000 / 72)
    assert heaviest_load_s(slow.node) == about(0.5 + 2000 / 72), "the same again"
    assert heaviest_load_s(node("c", models=())) == about(0.5 + 1000 / 72)


def test_an_average_board_is_what_a_request_is_reckoned_with() -> None:
    """Of those that are looked at; without any, nothing costs anything."""
    lanes = [lane(node("a")), lane(node("b", throttled=True))]

    assert column(lanes).usual == (about(0.01125), about(0.1125))
    assert column([]).usual == (0.0, 0.0)


def test_heat_makes_each_token_dearer() -> None:
    """1.25 times, while the load from the disk takes as long as ever."""
    lanes = [lane(node("a", throttled=True))]

    assert column(lanes).rows == [(0, 15.0, about(0.0125), about(0.125), 0.0)]
    assert column(lanes).speeds(0) == (about(0.0125), about(0.125), 10.0)


def test_a_board_without_the_model_or_without_room_has_no_row() -> None:
    """Nor has one that a suspect has to itself."""
    alone = lane(node("d", ("m1",)))
    alone.alone = True
    lanes = [lane(node("a", models=("m2",))), lane(node("b", models={"m1": 9_000_000_000})),
             lane(node("c")), alone]  # fmt: skip
    found = column(lanes)

    assert [row[0] for row in found.rows] == [2]
    assert found.where == {2: 0}
    assert found.speeds(0) is None
    assert found.speeds(1) is None


def test_a_row_changes_with_what_is_planned_there() -> None:
    """4 s more ahead on that board; the others stay."""
    lanes = [lane(node("a", ("m1",))), lane(node("b", ("m1",)))]
    found = column(lanes)
    lanes[1].add(waiting(), M1, found.places[1], 4.0, False)
    found.stale[1] = None

    assert [row[:2] for row in found.rows] == [(0, 0.0), (1, 4.0)]
    assert found.places[1] == (0, 4.0, 0.0)


def test_a_board_that_is_taken_alone_leaves_the_column() -> None:
    """The last row takes its place, and is found there."""
    lanes = [lane(node(name, ("m1",))) for name in ("a", "b", "c")]
    found = column(lanes)
    lanes[0].alone = True
    found.stale[0] = None
    assert [row[0] for row in found.rows] == [2, 1]
    assert found.where == {2: 0, 1: 1}

    found.stale[0] = None
    lanes[1].alone = True
    found.stale[1] = None
    assert [row[0] for row in found.rows] == [2]
    assert found.where == {2: 0}


# --- large fleets ------------------------------------------------------------------------------

MANY = LOOKED_AT + 6


def boards(count: int = MANY, **facts: Any) -> list[Node]:
    return [node(f"n{i:02}", ("m1",), **facts) for i in range(count)]


def busy(count: int = MANY) -> list[Lane]:
    """Boards that are free after 0, 1, 2, ... seconds, in an order that is not theirs by name."""
    found: list[Lane] = []
    for i, board in enumerate(boards(count)):
        ends_s = (i * 7) % count
        load = {"r": held(output_limit=10 * ends_s)} if ends_s else {}
        found.append(lane(board, load, 0.0, beliefs(board.name, outputs=1e4)))
    return found


def ends(found: Column) -> list[float]:
    return [about(row[1]) for row in found.rows]


def test_of_a_large_fleet_only_the_best_are_looked_at() -> None:
    """Those that are free the soonest."""
    small = column(busy(LOOKED_AT))
    assert [row[0] for row in small.rows] == list(range(LOOKED_AT))

    large = column(busy(LOOKED_AT + 1))
    assert ends(large) == list(range(LOOKED_AT))
    assert len(column(busy(97)).rows) == LOOKED_AT


def test_the_best_are_those_for_a_request_of_usual_length() -> None:
    """200 tokens of prompt, 128 of answer: a slow reader or writer comes after a busy one."""
    nodes = boards()
    speeds = {(n.name, M1): Learned(100.0, 10.0, 10.0) for n in nodes}
    speeds["n00", M1] = Learned(50.0, 10.0, 10.0)  # 2 s more for the prompt
    speeds["n01", M1] = Learned(100.0, 5.0, 10.0)  # 12.8 s more for the answer
    known = beliefs()
    lanes = [lane(n, {}, 0.0, known) for n in nodes]
    found = Column(M1, lanes, type(known)(speeds, {("", ""): 128.0}), FIXED)

    assert [row[0] for row in found.rows] == list(range(2, LOOKED_AT + 2))
    assert found.output_tokens == 128.0


def test_a_better_board_takes_the_place_of_one_that_was_given_work() -> None:
    """The next best of those that were not looked at, in the same row; later again another."""
    lanes = busy()
    found = column(lanes)
    first = found.rows[0][0]
    lanes[first].add(waiting(), M1, found.places[first], 100.0, False)
    found.stale[first] = None

    assert ends(found)[0] == LOOKED_AT
    assert first not in found.where
    assert found.where[found.rows[0][0]] == 0

    second = found.rows[1][0]
    lanes[second].add(waiting(), M1, found.places[second], 2.0, False)
    found.stale[second] = None
    assert ends(found)[1] == 3.0, "nobody outside is better than 1 + 2 s"
    assert found.where[second] == 1


def test_one_that_was_put_aside_returns_when_it_is_the_best() -> None:
    """Its entry is in the heap: with all others worse it is looked at again."""
    lanes = busy()
    found = column(lanes)
    first = found.rows[0][0]
    lanes[first].add(waiting(), M1, found.places[first], 24.5, False)
    found.stale[first] = None
    assert found.rows
    assert first not in found.where

    for at in range(3):
        i = found.rows[at][0]
        lanes[i].add(waiting(), M1, found.places[i], 1000.0, False)
        found.stale[i] = None

    assert found.rows[found.where[first]][1] == about(24.5)


def test_entries_that_are_out_of_date_are_looked_at_again() -> None:
    """A board outside was given work meanwhile: it goes back, the next one comes."""
    lanes = busy()
    found = column(lanes)
    outside = next(i for i in range(MANY) if lanes[i].first_s == about(LOOKED_AT))
    lanes[outside].add(waiting(), M1, lanes[outside].place(M1, 0.0), 50.0, False)
    first = found.rows[0][0]
    lanes[first].add(waiting(), M1, found.places[first], 100.0, False)
    found.stale[first] = None

    assert ends(found)[0] == LOOKED_AT + 1
    assert outside not in found.where


def test_a_board_outside_that_is_taken_alone_is_dropped() -> None:
    """Nobody joins a suspect."""
    lanes = busy()
    found = column(lanes)
    outside = next(i for i in range(MANY) if lanes[i].first_s == about(LOOKED_AT))
    lanes[outside].alone = True
    first = found.rows[0][0]
    lanes[first].alone = True
    found.stale[first] = None

    assert ends(found)[0] == LOOKED_AT + 1


def test_rows_of_boards_outside_are_worked_out_when_asked_for() -> None:
    """A board that keeps the prompt, or that a pin names; those looked at are not doubled."""
    lanes = busy()
    found = column(lanes)
    outside = [i for i in range(MANY) if i not in found.where]
    inside = found.rows[0][0]

    extra = found.extra([inside, *outside])
    assert [row[0] for row in extra] == outside
    assert found.places[outside[0]].begin_s == extra[0][1]
    lanes[outside[0]].alone = True
    assert [row[0] for row in found.extra(outside)] == outside[1:]


def test_other_models_have_their_own_column() -> None:
    """The same boards, with a load."""
    lanes = [lane(node("a", ("m1",)))]

    assert Column(M2, lanes, beliefs(), FIXED).rows == [(0, 15.0, 0.01, 0.1, 0.0)]


def test_an_idle_board_is_dearer_by_the_prompt_that_it_would_lose() -> None:
    """300 tokens at 100 a second, three quarters of that while others are idle; not where work is
    planned or runs, and not without a price."""
    known = beliefs("a", "b", prompts=KeptPrompts(risks={("a", M1): 300.0, ("b", M1): 100.0}))
    idle, busy = lane(node("a", ("m1",))), lane(node("b", ("m1",)), holds("m1", output_limit=50))

    found = Column(M1, [idle, busy], known, FIXED, Prices(displaced=0.75))

    assert [row[1] for row in found.rows] == [0.75 * 3.0, about(5.0)]
    assert found.displaced_s == {0: 0.75 * 3.0}
    idle.add(waiting("m1"), M1, found.places[0], 4.0, False)
    found.stale[0] = None
    assert found.rows[0][1] == 4.0
    assert Column(M1, [lane(node("a", ("m1",)))], known, FIXED).rows[0][1] == 0.0


def test_a_load_is_dearer_by_the_prompts_that_leave_with_another_model() -> None:
    """600 tokens of m1 (twice 300: all of them) at 100 a second."""
    known = beliefs("a", prompts=KeptPrompts(risks={("a", M1): 300.0}))
    lanes = [lane(node("a", ("m1",), models=("m1", "m2")))]

    plain = Column(M2, lanes, beliefs("a"), FIXED, Prices(prompts=0.5)).rows[0][1]
    dearer = Column(M2, lanes, known, FIXED, Prices(prompts=0.5)).rows[0][1]

    assert dearer - plain == about(0.5 * 6.0)
    assert Column(M2, lanes, known, FIXED, Prices(displaced=0.5)).rows[0][1] == plain


def test_a_warm_board_takes_longer_to_read_its_prompts_again() -> None:
    """By its derating of a quarter; of two models one stays."""
    risks = {("a", M1): 1000.0, ("a", M2): 10.0}
    two = [lane(node("a", ("m1", "m2"), models=("m1", "m2", "m3"), throttled=True))]

    def row(known: Beliefs) -> float:
        return Column(M3, two, known, FIXED, Prices(prompts=1.0)).rows[0][1]

    dearer = row(beliefs("a", prompts=KeptPrompts(risks=risks))) - row(beliefs("a"))
    assert dearer == about(20.0 * 0.01 * 1.25)


def test_only_the_last_replica_that_leaves_has_the_price_of_a_load() -> None:
    """m1, which no other board has: half of its 10.5 s; with another copy nothing."""
    mine = [lane(node("a", ("m1",), models={"m1": 720_000_000, "m2": 10}))]

    def row(copies: int) -> float:
        return Column(M2, mine, beliefs(), FIXED, Prices(replica=0.5, copies={M1: copies})).rows[0][
            1
        ]

    assert row(1) - row(2) == about(0.5 * 10.5)
    assert row(2) == about(15.0)
