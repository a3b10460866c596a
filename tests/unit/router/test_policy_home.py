"""Where a model is at home: two models never take turns on a board without need."""

from __future__ import annotations

from builders.fleets import fleet, holds, node, waiting
from orion_contracts.config import Routing
from orion_router.policy import assign

ROUTING = Routing()


def test_a_second_model_goes_to_an_idle_board() -> None:
    """One board loads m2: a request for m1 goes to the empty one, though both have a free slot."""
    boards = fleet(node("a", slots=4), node("b", slots=4))

    (decision,) = assign([waiting("m1")], boards, {"a": holds("m2")}, 0.0, ROUTING)

    assert decision.node == "b"


def test_a_board_that_is_being_emptied_for_another_model_is_left() -> None:
    """m1 is still resident, but the board is loading m2: a new request for m1 does not go there."""
    boards = fleet(node("a", ("m1",), slots=4), node("b", slots=4))

    (decision,) = assign([waiting("m1")], boards, {"a": holds("m2")}, 0.0, ROUTING)

    assert decision.node == "b"


def test_with_one_board_two_models_take_turns() -> None:
    """Nothing for m1 while m2 is loading, or m2 would wait for m1's whole keep-alive; requests for
    m2 join the one that loads it."""
    boards = fleet(node("a", ("m1",), slots=4))
    load = {"a": holds("m2")}

    assert assign([waiting("m1")], boards, load, 0.0, ROUTING) == []
    assert [each.node for each in assign([waiting("m2")], boards, load, 0.0, ROUTING)] == ["a"]


def test_a_board_with_room_for_two_serves_both() -> None:
    """It has shown two models at once: a third one's load does not keep the resident ones out."""
    boards = fleet(node("a", ("m1", "m2"), slots=4))

    (decision,) = assign([waiting("m1")], boards, {"a": holds("m3")}, 0.0, ROUTING)

    assert decision.node == "a"
