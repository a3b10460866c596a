"""Every board is named in a decision, with its seconds or one word."""

from __future__ import annotations

from builders.fleets import fleet, node, waiting
from orion_contracts.config import Routing
from orion_contracts.meta import Meta
from orion_router.held import Held
from orion_router.policy import assign, decide

ROUTING = Routing()
BUSY = {"x": Held("m1", Meta(model="m1"), 0.0)}


def test_boards_that_may_take_no_work_are_named_too() -> None:
    """One that takes it, one that is full, a hot one, a draining one, one without the model."""
    boards = fleet(
        node("a", ("m1",)), node("b", ("m1",)), node("c", temperature_c=80.0),
        node("d", draining=True), node("e", models=("m2",)),
    )  # fmt: skip

    (decision,) = assign([waiting("m1")], boards, {"b": BUSY}, 0.0, ROUTING)

    assert (decision.node, decision.model) == ("a", "m1")
    found = {each.node: each.reason for each in decision.candidates}
    assert found == {"a": "", "b": "full", "c": "hot", "d": "draining", "e": "no_model"}
    assert [each.terms is not None for each in decision.candidates] == [True, True, *[False] * 3]


def test_a_pinned_request_says_why_others_are_left_aside() -> None:
    """It waits for its board though another one is free."""
    boards = fleet(node("a", ("m1",)), node("b", ("m1",)))

    decision = decide(waiting("m1", pin="b"), boards, {"b": BUSY}, 0.0, ROUTING)

    assert (decision.verdict, decision.node) == ("wait", "b")
    assert {each.node: each.reason for each in decision.candidates} == {"a": "pinned", "b": "full"}


def test_a_board_where_it_failed_before_is_the_last_choice() -> None:
    """Its price says so: it is not named as the board to wait for."""
    boards = fleet(node("a", ("m1",)), node("b", ("m1",)))
    item = waiting("m1", failed_on=frozenset({"a"}))

    decision = decide(item, boards, {"a": BUSY, "b": BUSY}, 0.0, ROUTING)

    assert (decision.verdict, decision.node) == ("wait", "b")
