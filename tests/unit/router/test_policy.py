"""Which queued request goes where."""

from __future__ import annotations

from builders.fleets import fleet, holds, node, waiting
from orion_contracts.config import Routing, Thresholds
from orion_contracts.power import PowerModel
from orion_router.fleet import Node
from orion_router.policy import (
    PIN_LOST_S,
    Beliefs,
    Decision,
    assign,
    decide,
    outlook,
)
from orion_router.policy.heat import Climate
from orion_router.policy.speeds import Learned
from orion_router.sighting import observe

ROUTING = Routing()
LOAD_S = 10.0
SPEEDS = {
    (name, "m1:latest"): Learned(100.0, 10.0, LOAD_S) for name in ("a", "b", "c")
}  # an answer of 128 tokens takes 12.8 s
BELIEFS = Beliefs(SPEEDS)


def only(decisions: list[Decision]) -> Decision:
    assert len(decisions) == 1
    return decisions[0]


def test_a_resident_model_is_preferred() -> None:
    """Sticky: the board that has the model in memory wins over a less loaded one."""
    boards = fleet(node("a"), node("b", ("m1",), slots=2))

    decision = only(assign([waiting()], boards, {"b": holds("m1")}, 0.0, ROUTING))

    assert (decision.node, decision.residency, decision.why) == ("b", "warm", "resident")


def test_else_the_least_loaded_board_takes_it() -> None:
    """Fallback: no board has the model in memory, so the one that is free the soonest."""
    boards = fleet(node("a", slots=2), node("b", slots=2))

    decision = only(assign([waiting()], boards, {"a": holds("m2")}, 0.0, ROUTING))

    assert (decision.node, decision.residency, decision.why) == ("b", "cold", "soonest")


def test_an_excluded_board_gets_nothing_even_with_the_model_resident() -> None:
    """Gates win over stickiness."""
    boards = fleet(node("a"), node("b", ("m1",), temperature_c=80.0))

    assert only(assign([waiting()], boards, {}, 0.0, ROUTING)).node == "a"


def test_work_waits_for_the_board_that_has_its_model_while_that_is_sooner() -> None:
    """Loading elsewhere is reckoned at 17 s: a home that is free after 16.9 s is waited for, one
    that is free after 17.1 s is not."""
    boards = fleet(node("a"), node("b", ("m1",)))

    def chosen(output_tokens: int) -> list[str]:
        load = {"b": holds("m1", output_limit=output_tokens)}
        beliefs = Beliefs(SPEEDS, {("", ""): 1000.0})
        queue = [waiting(output_limit=10)]
        return [d.node for d in assign(queue, boards, load, 0.0, ROUTING, beliefs=beliefs)]

    # One request for two slots: a load of 10 s costs 1 + 0.8 x 1/4 times that, and 5 s.
    assert chosen(169) == []
    assert chosen(171) == ["a"]


def test_a_board_that_is_loading_the_model_counts_as_its_home() -> None:
    """One cold load at a time: a follower that would wait longer elsewhere joins it."""
    boards = fleet(node("a"), node("b"))
    load = {"a": holds("m1", output_limit=10)}

    assert assign([waiting()], boards, load, 0.0, ROUTING, beliefs=BELIEFS) == []
    prospect = outlook([waiting()], boards, load, 0.0, ROUTING, beliefs=BELIEFS)["r1"]
    assert (prospect.node, prospect.start_s) == ("a", LOAD_S + 1.0)


def test_no_eligible_board_follows_the_configuration() -> None:
    """Queue waits, Reject says so, LeastBad takes the board nearest to its limits."""
    boards = fleet(node("a", temperature_c=79.0), node("b", temperature_c=76.0))

    assert assign([waiting()], boards, {}, 0.0, Routing()) == []
    reject = Routing(when_no_node_eligible="Reject")
    refused = Decision("r1", "no_node_eligible", why="no board may take work now", model="m1")
    assert only(assign([waiting()], boards, {}, 0.0, reject)) == refused
    assert decide(waiting(), boards, {}, 0.0, reject) == refused
    least_bad = Routing(when_no_node_eligible="LeastBad")
    given = only(assign([waiting()], boards, {}, 0.0, least_bad))
    assert (given.node, given.verdict, given.depth, given.model) == ("b", "assign", 1, "m1")
    assert decide(waiting(), boards, {}, 0.0, least_bad).node == "b"
    assert outlook([waiting()], boards, {}, 0.0, least_bad)["r1"].node == "b"


def test_a_board_that_is_hot_and_full_is_least_bad_when_it_is_the_only_one() -> None:
    """Both gates, as long as there are no other reasons."""
    board = node("a", ("m1",), temperature_c=80.0, memory_available_bytes=1)
    least_bad = Routing(when_no_node_eligible="LeastBad")

    assert only(assign([waiting()], fleet(board), {}, 0.0, least_bad)).node == "a"


def test_least_bad_goes_by_the_thresholds_of_the_configuration() -> None:
    """At most 60 °C and 99 %: 80 °C is further beyond than 99.4 %, which the defaults say otherwise
    of."""
    strict = Thresholds(temperature_exclude_c=60.0, temperature_return_c=55.0,
                        ram_exclude_percent=99.0, ram_return_percent=95.0)  # fmt: skip
    hot = node("a", ("m1",), temperature_c=80.0)
    full = node("b", ("m1",), temperature_c=40.0, memory_available_bytes=50_000_000)
    seen = [observe(None, n.name, n.health, True, False, frozenset(), 0.0, strict)
            for n in (hot, full)]  # fmt: skip

    assert [each.reasons for each in seen] == [("hot",), ("ram",)]
    least_bad = Routing(when_no_node_eligible="LeastBad")
    assert only(assign([waiting()], fleet(*seen), {}, 0.0, least_bad)).node == "b"


def test_least_bad_is_a_matter_of_gates_alone() -> None:
    """A board that is silent, or draining, is no choice however cool; an eligible one leaves the
    gated ones in peace; memory counts as heat does, in shares of the limit."""
    least_bad = Routing(when_no_node_eligible="LeastBad")
    gated = node("a", temperature_c=79.0)
    silent = node("b", temperature_c=76.0, draining=True)
    full = node("c", ("m1",), memory_available_bytes=1)

    def chosen(*boards: Node) -> list[str]:
        return [d.node for d in assign([waiting()], fleet(*boards), {}, 0.0, least_bad)]

    assert chosen(gated, silent) == ["a"]
    assert chosen(silent) == []
    assert chosen(gated, full) == ["a"]  # 79/75 = 1.05 against 100/90 = 1.11
    assert chosen(node("a", temperature_c=84.0), full) == ["c"]
    assert chosen(node("a", temperature_c=79.0), node("b")) == ["b"]


def test_an_unknown_model_is_refused_only_after_the_boards_had_time_to_tell() -> None:
    """A board that has just come up may have the model."""
    boards = fleet(node("a"))

    assert assign([waiting("nope")], boards, {}, 14.9, ROUTING) == []
    refusal = only(assign([waiting("nope")], boards, {}, 15.0, ROUTING))
    assert refusal == Decision("r1", "model_not_found", why="no board has this model", model="nope")
    asked = waiting("nope", since_s=10.0)
    assert assign([asked], boards, {}, 24.9, ROUTING) == []


def test_a_board_that_said_not_now_is_left_alone_for_a_moment() -> None:
    """503 from one board: another one takes the request; from all: it waits until they cooled."""
    boards = fleet(node("a", ("m1",)), node("b"))

    assert only(assign([waiting()], boards, {}, 9.0, ROUTING, frozenset({"a"}))).node == "b"
    assert assign([waiting()], boards, {}, 9.0, ROUTING, frozenset({"a", "b"})) == []


def test_a_request_goes_elsewhere_than_where_it_failed() -> None:
    """Residency does not draw a request back to the board that just lost it, though it may return
    there when no other is left."""
    boards = fleet(node("a", ("m1",)), node("b"))
    item = waiting(failed_on=frozenset({"a"}))

    assert only(assign([item], boards, {}, 99.0, ROUTING)).node == "b"
    assert assign([item], boards, {"b": holds("m1")}, 99.0, ROUTING) == []
    assert only(assign([item], fleet(node("a", ("m1",))), {}, 99.0, ROUTING)).node == "a"


def test_a_suspect_has_its_board_to_itself() -> None:
    """A request that saw a crash runs alone, and nobody joins it."""
    boards = fleet(node("a", slots=2))
    suspect = waiting(request_id="s", crashes=1)

    assert assign([suspect], boards, {"a": holds("m1")}, 99.0, ROUTING) == []
    placed = assign([suspect, waiting(since_s=1.0)], boards, {}, 99.0, ROUTING)
    assert [d.request_id for d in placed] == ["s"]
    joined = assign([waiting()], boards, {"a": {"s": holds("m1")["held-0"]}}, 99.0, ROUTING,
                    suspects=frozenset({"s"}))  # fmt: skip
    assert joined == []


def test_a_suspect_does_not_join_what_is_planned_either() -> None:
    """An older request has the board in this very plan: the suspect takes its turn after it."""
    boards = fleet(node("a", slots=2))
    older = waiting(request_id="old")

    placed = assign([older, waiting(request_id="s", since_s=1.0, crashes=1)], boards, {}, 9.0,
                    ROUTING)  # fmt: skip

    assert [d.request_id for d in placed] == ["old"]


def test_a_board_empties_for_a_suspect_that_starves() -> None:
    """Beyond the bound nobody joins what runs there, or it would never be alone; the board that is
    empty first is chosen, the others go on."""
    suspect = waiting(request_id="s", crashes=1, since_s=-1000.0)
    young = waiting(request_id="y", since_s=99.0)
    one = fleet(node("a", ("m1",), slots=2))
    long, short = holds("m1", since_s=95.0), holds("m1", since_s=95.0, output_limit=20)

    assert assign([suspect, young], one, {"a": long}, 100.0, ROUTING) == []
    two = fleet(node("a", ("m1",), slots=2), node("b", ("m1",), slots=2))
    chosen = only(assign([suspect, young], two, {"a": long, "b": short}, 100.0, ROUTING))
    assert (chosen.request_id, chosen.node) == ("y", "a")
    patient = waiting(request_id="s", crashes=1, since_s=99.0)
    assert only(assign([patient, young], one, {"a": long}, 100.0, ROUTING)).request_id == "y"


def test_a_pin_to_a_board_that_cannot_run_it_does_not_hold() -> None:
    """It lacks the model, or the memory for it; until it has told what it has, the pin holds."""
    pinned = waiting(pin="b")
    lacking = fleet(node("a"), node("b", models=("m2",)))
    small = fleet(node("a"), node("b", models={"m1": 9_000_000_000}))
    untold = fleet(node("a"), Node("b", None, True, state="fresh"))

    assert only(assign([pinned], lacking, {}, 0.0, ROUTING)).node == "a"
    assert only(assign([pinned], small, {}, 0.0, ROUTING)).node == "a"
    assert assign([pinned], untold, {}, 0.0, ROUTING) == []


def test_a_pin_holds_until_its_board_is_long_gone_or_gated() -> None:
    """Work put on a board's own stream stays there while that makes sense."""
    pinned = waiting(pin="b")
    busy = fleet(node("a"), node("b"))
    hot = fleet(node("a"), node("b", temperature_c=80.0))
    gone = fleet(node("a"), node("b", alive=False))

    assert assign([pinned], busy, {"b": holds("m1")}, 99.0, ROUTING) == []
    assert only(assign([pinned], busy, {"a": holds("m1")}, 99.0, ROUTING)).node == "b"
    assert only(assign([pinned], hot, {}, 0.0, ROUTING)).node == "a"
    assert assign([pinned], gone, {}, PIN_LOST_S, ROUTING) == []
    assert only(assign([pinned], gone, {}, PIN_LOST_S + 1, ROUTING)).node == "a"
    assert only(assign([waiting(pin="nobody")], busy, {}, 0.0, ROUTING)).node == "a"


def test_every_refusal_has_its_word() -> None:
    """A decision is a value: each board looked at, with one word for why not."""
    boards = fleet(
        node("a", models=()),
        node("b"),
        node("c"),
        node("d", models={"m1": 9_000_000_000}),
        node("e"),
    )
    load = {"b": holds("m2"), "e": {"s": holds("m1")["held-0"]}}
    looked = decide(waiting(), boards, load, 0.0, ROUTING, frozenset({"c"}), frozenset({"s"}))

    assert looked.verdict == "wait"
    assert {c.node: c.reason for c in looked.candidates} == {
        "a": "no_model",
        "b": "full",
        "c": "cooling",
        "d": "no_room",
        "e": "suspect",
    }


def test_an_excluded_board_is_named_with_its_gate() -> None:
    """The gates' words are the fleet's."""
    looked = decide(waiting(), fleet(node("a"), node("b", temperature_c=80.0)), {}, 0.0, ROUTING)

    assert {c.node: c.reason for c in looked.candidates} == {"a": "", "b": "hot"}


def test_a_newcomer_is_decided_like_a_queued_request() -> None:
    """Assigned, refused or waiting: `decide` says what `assign` would do with it alone."""
    boards = fleet(node("a", ("m1",)))

    assert decide(waiting(), boards, {}, 0.0, ROUTING) == only(
        assign([waiting()], boards, {}, 0.0, ROUTING)
    )
    busy = decide(waiting(), boards, {"a": holds("m1")}, 0.0, ROUTING)
    assert (busy.verdict, busy.node, busy.why) == ("wait", "a", "its board is busy")
    nobody = decide(waiting("m3"), boards, {}, 0.0, ROUTING)
    assert (nobody.verdict, nobody.node, nobody.why) == ("wait", "", "no free board")
    assert decide(waiting("m3"), boards, {}, 15.0, ROUTING).verdict == "model_not_found"


def test_an_outlook_obeys_pins_while_they_hold() -> None:
    """As the plan does: also those of a board that is gone for a short while."""
    boards = fleet(node("a", ("m1",)), node("b"))
    gone = fleet(node("a", ("m1",)), node("b", now_s=50.0, alive=False))

    assert outlook([waiting(pin="b")], boards, {}, 0.0, ROUTING)["r1"].node == "b"
    assert outlook([waiting(pin="b")], gone, {}, 79.0, ROUTING)["r1"].node == ""
    assert outlook([waiting(pin="b")], gone, {}, 81.0, ROUTING)["r1"].node == "a"
    assert decide(waiting(pin="b"), gone, {}, 79.0, ROUTING).verdict == "wait"
    assert decide(waiting(pin="b"), gone, {}, 81.0, ROUTING).node == "a"


def test_who_waits_is_told_for_which_board() -> None:
    """The one where it is expected first; and that it has to cool, where that is why."""
    busy = fleet(node("a", ("m1",)), node("b", ("m1",)))
    load = {"a": holds("m1"), "b": holds("m1", output_limit=10)}
    told = decide(waiting(), busy, load, 0.0, ROUTING)
    assert (told.request_id, told.node, told.model) == ("r1", "b", "m1")

    warm = fleet(node("a", ("m1",), temperature_c=70.0))
    known = Beliefs(SPEEDS, {("", ""): 1000.0}, climates={"a": Climate(100.0, 40.0)})
    resting = decide(waiting(), warm, {}, 0.0, ROUTING, beliefs=known)
    assert (resting.verdict, resting.why) == ("wait", "its board has to cool first")


def test_energy_breaks_ties_where_the_configuration_says_so() -> None:
    """Two boards of equal speed: the frugal one, not the first by name."""
    thirsty, frugal = PowerModel(idle_w=3.0, max_w=12.0), PowerModel(idle_w=2.0, max_w=5.0)
    boards = fleet(node("a", ("m1",), power=thirsty), node("b", ("m1",), power=frugal))
    saving = Routing(energy_tie_s=1.0)

    assert only(assign([waiting()], boards, {}, 0.0, ROUTING)).node == "a"
    assert only(assign([waiting()], boards, {}, 0.0, saving)).node == "b"
    assert decide(waiting(), boards, {}, 0.0, saving).node == "b"
    assert outlook([waiting()], boards, {}, 0.0, saving)["r1"].node == "b"
