"""Of a large fleet: no idle board is overlooked, and of the busy ones those that end first."""

from __future__ import annotations

from dataclasses import replace

from builders.fleets import held, node, waiting
from builders.worlds import M1, beliefs
from orion_contracts.config import Routing
from orion_router.fleet import Fleet, Node
from orion_router.policy import assign, decide
from orion_router.policy.explain import SHOWN
from orion_router.policy.shortlist import BUSY, WHOLE, elsewhere, shortlist
from orion_router.policy.speeds import Learned

NAMES = [f"pi-{i:04}" for i in range(WHOLE + 72)]
KNOWN = beliefs(outputs=50.0)


def boards() -> list[Node]:
    """New ones each time: what was worked out of a board is kept with it."""
    return [node(name, ("m1",)) for name in NAMES]


def test_a_small_fleet_is_looked_at_as_a_whole() -> None:
    """Up to WHOLE boards, busy or not."""
    few = boards()[:WHOLE]
    load = {each.name: {"r": held()} for each in few}

    assert shortlist(few, load, KNOWN) == few


def test_every_idle_board_is_looked_at() -> None:
    """Also the last of an idle fleet, and the only idle one of a busy fleet."""
    everyone = boards()
    assert shortlist(everyone, {}, KNOWN) == everyone
    load = {name: {"r": held()} for name in NAMES[:-1]}

    assert everyone[-1] in shortlist(everyone, load, KNOWN)


def test_of_the_busy_boards_those_that_end_first() -> None:
    """The shortest answers are on the boards at the end of the alphabet."""
    load = {name: {"r": held(output_limit=len(NAMES) - i)} for i, name in enumerate(NAMES)}
    found = [each.name for each in shortlist(boards(), load, beliefs(outputs=1000.0))]

    assert found == NAMES[::-1][:BUSY]


def test_what_a_board_holds_anew_counts_at_once() -> None:
    """The board of the longest answer gets the same request back, now with a short one: between two
    looks at it, and it is among those that end first."""
    everyone, known = boards(), beliefs(outputs=1000.0)
    load = {name: {"r": held(output_limit=i + 1)} for i, name in enumerate(NAMES)}
    assert everyone[-1] not in shortlist(everyone, load, known)
    load[NAMES[-1]] = {"r": held(output_limit=1)}

    assert everyone[-1] in shortlist(everyone, load, known)


def test_a_rate_that_was_learned_meanwhile_counts_at_once() -> None:
    """The last board turns out to be a thousand times as fast."""
    everyone, slow = boards(), beliefs(*NAMES, outputs=1000.0)
    load = {name: {"r": held(output_limit=i + 1)} for i, name in enumerate(NAMES)}
    assert everyone[-1] not in shortlist(everyone, load, slow)
    fast = {**slow.speeds, (NAMES[-1], M1): Learned(1e5, 1e5, 0.1)}

    assert everyone[-1] in shortlist(everyone, load, replace(slow, speeds=fast))


def test_models_in_memory_elsewhere_are_those_of_boards_that_are_not_looked_at() -> None:
    """Neither of those that are, nor of one that said "not now", nor of one that is excluded."""
    some = [node("a", ("m1",)), node("b", ("m1", "m2")), node("c", ("m1",)), node("d", ("m2",))]
    gated = node("e", ("m1",), temperature_c=80.0)
    fleet = Fleet({each.name: each for each in (*some, gated)})

    assert elsewhere(fleet, frozenset("cex"), some[:1]) == {M1: 1, "m2:latest": 2}


def test_a_large_fleet_gives_its_idle_board_the_work() -> None:
    """Two hundred boards, one of them idle: the request goes there, and SHOWN are told of."""
    load = {name: {name: held()} for name in NAMES if name != "pi-0150"}
    asked = waiting()
    fleet = Fleet({each.name: each for each in boards()})
    (given,) = assign([asked], fleet, load, 0.0, Routing(), beliefs=KNOWN)

    assert given.node == "pi-0150"
    assert len(given.candidates) == SHOWN
    assert decide(asked, fleet, load, 0.0, Routing(), beliefs=KNOWN) == given
