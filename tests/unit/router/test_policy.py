"""Which queued request goes where."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from builders.fleets import fleet, node, waiting
from orion_contracts.config import Routing
from orion_router.policy import PATIENCE_S, PIN_LOST_S, Decision, Waiting, assign, decide

ROUTING = Routing()


def only(decisions: list[Decision]) -> Decision:
    assert len(decisions) == 1
    return decisions[0]


def test_a_resident_model_is_preferred() -> None:
    """Sticky: the board that has the model in memory wins over a less loaded one."""
    boards = fleet(node("a"), node("b", ("m1",), slots=2))
    load = {"b": {"other": "m1"}}

    assert only(assign([waiting()], boards, load, 0.0, ROUTING)).node == "b"


def test_else_the_least_loaded_board_takes_it() -> None:
    """Fallback: no board has the model in memory, so the one with the smallest share of load."""
    boards = fleet(node("a", slots=2), node("b", slots=2))

    assert only(assign([waiting()], boards, {"a": {"x": "m2"}}, 0.0, ROUTING)).node == "b"


def test_an_excluded_board_gets_nothing_even_with_the_model_resident() -> None:
    """Gates win over stickiness."""
    boards = fleet(node("a"), node("b", ("m1",), temperature_c=80.0))

    assert only(assign([waiting()], boards, {}, 0.0, ROUTING)).node == "a"


def test_work_waits_a_moment_for_the_board_that_has_its_model() -> None:
    """With the home board busy, another one loads the model only after the patience."""
    boards = fleet(node("a"), node("b", ("m1",)))
    load = {"b": {"x": "m1"}}

    assert assign([waiting()], boards, load, 0.0, ROUTING) == []
    assert only(assign([waiting()], boards, load, PATIENCE_S, ROUTING)).node == "a"


def test_a_board_that_is_loading_the_model_counts_as_its_home() -> None:
    """One cold load at a time: followers wait for it instead of loading elsewhere."""
    boards = fleet(node("a"), node("b"))

    assert assign([waiting()], boards, {"a": {"x": "m1"}}, 0.0, ROUTING) == []


def test_no_eligible_board_follows_the_configuration() -> None:
    """Queue waits, Reject says so, LeastBad takes the board nearest to its limits."""
    boards = fleet(node("a", temperature_c=79.0), node("b", temperature_c=76.0))

    assert assign([waiting()], boards, {}, 0.0, Routing()) == []
    reject = Routing(when_no_node_eligible="Reject")
    assert only(assign([waiting()], boards, {}, 0.0, reject)).verdict == "no_node_eligible"
    least_bad = Routing(when_no_node_eligible="LeastBad")
    assert only(assign([waiting()], boards, {}, 0.0, least_bad)).node == "b"


def test_an_unknown_model_is_refused_only_after_the_boards_had_time_to_tell() -> None:
    """A board that has just come up may have the model."""
    boards = fleet(node("a"))

    assert assign([waiting("nope")], boards, {}, 1.0, ROUTING) == []
    assert only(assign([waiting("nope")], boards, {}, 15.0, ROUTING)).verdict == "model_not_found"


def test_a_board_that_said_not_now_is_left_alone_for_a_moment() -> None:
    """503 from one board: another one takes the request; from all: it waits until they cooled."""
    boards = fleet(node("a", ("m1",)), node("b"))

    assert only(assign([waiting()], boards, {}, 9.0, ROUTING, frozenset({"a"}))).node == "b"
    assert assign([waiting()], boards, {}, 9.0, ROUTING, frozenset({"a", "b"})) == []


def test_a_request_goes_elsewhere_than_where_it_failed() -> None:
    """Residency does not draw a request back to the board that just lost it."""
    boards = fleet(node("a", ("m1",)), node("b"))
    item = waiting(failed_on=frozenset({"a"}))

    assert only(assign([item], boards, {}, 99.0, ROUTING)).node == "b"


def test_a_suspect_has_its_board_to_itself() -> None:
    """A request that saw a crash runs alone, and nobody joins it."""
    boards = fleet(node("a", slots=2))
    suspect = waiting(request_id="s", crashes=1)

    assert assign([suspect], boards, {"a": {"x": "m1"}}, 99.0, ROUTING) == []
    placed = assign([suspect, waiting()], boards, {}, 99.0, ROUTING)
    assert [d.request_id for d in placed] == ["s"]
    joined = assign([waiting()], boards, {"a": {"s": "m1"}}, 99.0, ROUTING,
                    suspects=frozenset({"s"}))  # fmt: skip
    assert joined == []


def test_a_pin_holds_until_its_board_is_long_gone_or_gated() -> None:
    """Work put on a board's own stream stays there while that makes sense."""
    pinned = waiting(pin="b")
    busy = fleet(node("a"), node("b"))
    hot = fleet(node("a"), node("b", temperature_c=80.0))
    gone = fleet(node("a"), node("b", alive=False))

    assert assign([pinned], busy, {"b": {"x": "m1"}}, 99.0, ROUTING) == []
    assert only(assign([pinned], hot, {}, 0.0, ROUTING)).node == "a"
    assert assign([pinned], gone, {}, PIN_LOST_S, ROUTING) == []
    assert only(assign([pinned], gone, {}, PIN_LOST_S + 1, ROUTING)).node == "a"


def test_every_refusal_has_its_word() -> None:
    """A decision is a value: each board looked at, with one word for why not."""
    boards = fleet(node("a", models=()), node("b"), node("c"))
    looked = decide(waiting(), boards, {"b": {"x": "m2"}}, 0.0, ROUTING, frozenset({"c"}))

    assert {c.node: c.reason for c in looked.candidates} == {
        "a": "no_model",
        "b": "full",
        "c": "cooling",
    }


boards_st = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.floats(30, 95),
        st.integers(1, 4),
        st.sampled_from([(), ("m1",), ("m2",)]),
    ),
    max_size=4,
    unique_by=lambda row: row[0],
)
queue_st = st.lists(st.sampled_from(["m1", "m2"]), max_size=12)


@given(boards_st, queue_st, st.randoms())
def test_invariants_hold_for_any_fleet_and_queue(
    rows: list[tuple[str, float, int, tuple[str, ...]]], models: list[str], rng: random.Random
) -> None:
    """Never an excluded board, never over the slots, any dict order; a slot stays idle only on a
    board that is loading another model than those that wait."""
    nodes = [node(n, res, temperature_c=c, slots=s) for n, c, s, res in rows]
    queue: list[Waiting] = [waiting(m, f"r{i}") for i, m in enumerate(models)]
    decisions = assign(queue, fleet(*nodes), {}, 99.0, ROUTING)
    rng.shuffle(nodes)

    assert assign(queue, fleet(*nodes), {}, 99.0, ROUTING) == decisions
    by_name = {n.name: n for n in nodes}
    for decision in decisions:
        assert by_name[decision.node].eligible
    for name, board in by_name.items():
        assert sum(d.node == name for d in decisions) <= board.slots
    given = {d.request_id: d.node for d in decisions}
    for item in (each for each in queue if each.request_id not in given):
        for board in (n for n in nodes if n.eligible):
            held = {w.meta.model for w in queue if given.get(w.request_id) == board.name}
            full = sum(name == board.name for name in given.values()) == board.slots
            assert full or {f"{m}:latest" for m in held - {item.meta.model}} - board.resident
