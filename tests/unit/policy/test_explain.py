"""Each board looked at, with its terms in seconds or one word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.fleets import fleet, held, holds, node, waiting
from builders.worlds import FIXED, KeptPrompts, about, beliefs, lane
from orion_contracts.prefixes import Prefix
from orion_router.fleet import Node
from orion_router.policy import Candidate, Terms, Waiting
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.costs import Offered
from orion_router.policy.explain import SHOWN, candidates, why
from orion_router.policy.heat import Climate
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import Load

NOBODY: frozenset[str] = frozenset()


def looked(
    item: Waiting, *boards: Node, load: Load | None = None, known: Beliefs | None = None,
    cooling: frozenset[str] = NOBODY, missing: frozenset[str] = NOBODY,
    tuning: Tuning = FIXED, pin: str = "",
) -> tuple[Candidate, ...]:  # fmt: skip
    """`missing`: boards that have no lane, for a suspect has them."""
    believed, load = known or beliefs(), load or {}
    lanes = [lane(n, dict(load.get(n.name, {})), 0.0, believed)
             for n in boards if n.name not in cooling | missing]  # fmt: skip
    return candidates(item, boards, load, lanes, cooling, believed, tuning, pin)


def test_a_warm_board_has_its_terms() -> None:
    """200 tokens to read, 50 to write, no load and no wait."""
    (found,) = looked(waiting(input_tokens=200, output_limit=50), node("a", ("m1",)))

    assert found == Candidate("a", "", True, 0, Terms(0.0, 0.0, 2.0, 5.0))
    assert found.terms is not None
    assert (found.terms.first_token_s, found.terms.completion_s) == (2.0, 7.0)


def test_a_cold_board_has_its_load_and_the_margin() -> None:
    """The margin is a price, no time that the request waits."""
    (found,) = looked(waiting(input_tokens=200, output_limit=50), node("a"))

    assert found == Candidate("a", "", False, 0, Terms(0.0, 10.0, 2.0, 5.0, 5.0))
    assert found.terms is not None
    assert (found.terms.first_token_s, found.terms.completion_s) == (12.0, 17.0)
    assert found.terms.cost_s == 22.0


def test_a_full_board_has_its_wait() -> None:
    """It could take the request in 5 s."""
    load = {"a": holds("m1", output_limit=50)}
    (found,) = looked(waiting(output_limit=50), node("a", ("m1",)), load=load)

    assert (found.reason, found.running) == ("full", 1)
    assert found.terms == Terms(about(5.0), 0.0, 0.0, 5.0)


def test_heat_and_cached_prompts_are_in_the_terms() -> None:
    """1.25 times as slow; 150 of 200 tokens need not be read; a cache is never longer than the
    prompt."""
    known = beliefs(prompts=KeptPrompts(leaf={"a": 150}, long={"a": 999}))
    hot = node("a", ("m1",), throttled=True)
    item = waiting(input_tokens=200, output_limit=50, prefixes=(Prefix("leaf", 200),))
    longer = waiting(input_tokens=200, output_limit=50, prefixes=(Prefix("long", 200),))

    (found,) = looked(item, hot, known=known)
    assert found.terms == Terms(0.0, 0.0, 0.625, 6.25, 0.0, 1.25, 150)
    (found,) = looked(longer, hot, known=known)
    assert found.terms == Terms(0.0, 0.0, 0.0, 6.25, 0.0, 1.25, 200)


@pytest.mark.parametrize(
    ("board", "item", "word"),
    [
        (node("a", models=("m2",)), waiting(), "no_model"),
        (node("cooling"), waiting(), "cooling"),
        (node("missing"), waiting(), "suspect"),
        (node("a", models={"m1": 9_000_000_000}), waiting(), "no_room"),
        (node("busy", slots=2), waiting(crashes=1), "suspect"),
        (node("busy"), waiting(), "full"),
        (node("busy", slots=2), waiting(), ""),
        (node("a"), waiting(crashes=1), ""),
    ],
)
def test_each_obstacle_has_its_word(board: Node, item: Waiting, word: str) -> None:
    """Only a board that could take it, or is full, has terms."""
    (found,) = looked(
        item, board, load={"busy": {"x": held()}}, cooling=frozenset({"cooling"}),
        missing=frozenset({"missing"}),
    )  # fmt: skip

    assert found.reason == word
    assert (found.terms is not None) == (word in ("", "full"))


def test_the_cheapest_come_first_then_those_that_cannot() -> None:
    """By cost, equal ones by name; without terms by name."""
    boards = [node("e", models=()), node("d", models=()), node("c"), node("b", ("m1",)),
              node("a", ("m1",))]  # fmt: skip
    known = beliefs("a", "b", "c", "d", "e")

    assert [each.node for each in looked(waiting(), *boards, known=known)] == list("abcde")


def test_of_a_large_fleet_the_best_are_told_of() -> None:
    """16 of 20: the warm one, which is last by name, is among them."""
    names = [f"n{i:02}" for i in range(20)]
    boards = [node(name, ("m1",) if name == "n19" else ()) for name in names]
    found = looked(waiting(), *boards, known=beliefs(*names))

    assert len(found) == SHOWN == 16
    assert [each.node for each in found][:2] == ["n19", "n00"]
    assert len(fleet(*boards).eligible) == 20


def test_without_heat_no_board_is_slow() -> None:
    """The wait of what runs there is reckoned the same way."""
    load = {"a": holds("m1", output_limit=50)}
    hot = node("a", ("m1",), throttled=True)
    known = beliefs()
    lanes = [lane(hot, dict(load["a"]), 0.0, known, heat=False)]
    (found,) = candidates(
        waiting(output_limit=50), [hot], load, lanes, NOBODY, known, replace(FIXED, heat_term=False)
    )

    assert found.terms == Terms(about(5.0), 0.0, 0.0, 5.0)


def test_a_gate_is_named_by_its_word() -> None:
    """A board that may take no work now says why; a model that it lacks comes before."""
    hot = node("a", temperature_c=80.0)
    lacking = node("a", temperature_c=80.0, models=())
    silent = Node("a", None, True, reasons=("silent",))

    assert [looked(waiting(), each, missing=frozenset({"a"}))[0].reason
            for each in (hot, lacking, silent)] == ["hot", "no_model", "silent"]  # fmt: skip


def test_a_pin_leaves_one_board() -> None:
    """The others could take it, but are not asked."""
    found = looked(waiting(), node("a", ("m1",)), node("b"), pin="b")

    assert {each.node: each.reason for each in found} == {"a": "pinned", "b": ""}
    assert found[0].node == "b"


def test_a_board_where_it_failed_has_its_price() -> None:
    """A million seconds, and the margin where it must load."""
    item = waiting(failed_on=frozenset({"a", "b"}))
    found = looked(item, node("a", ("m1",)), node("b"), node("c"))

    assert [each.terms.price_s for each in found if each.terms] == [5.0, 1e6, 1e6 + 5.0]
    assert [each.node for each in found] == ["c", "a", "b"]


def test_a_board_that_has_to_cool_says_so() -> None:
    """128 tokens are fine, 1000 would bring it beyond its limit; unless rest would not help."""
    known = beliefs(outputs=1000.0, climates={"a": Climate(100.0, 40.0)})
    warm, cool = node("a", ("m1",), temperature_c=70.0), node("a", ("m1",), temperature_c=42.0)
    busy = {"a": holds("m1")}

    assert looked(waiting(), warm, known=known)[0].reason == "resting"
    assert looked(waiting(output_limit=128), warm, known=known)[0].reason == ""
    assert looked(waiting(), warm, known=known, load=busy)[0].reason == "full"
    assert looked(waiting(output_limit=9999), cool, known=known)[0].reason == ""


# --- as the plan compared them -------------------------------------------------------------------


def test_boards_are_told_of_as_they_were_compared() -> None:
    """The plan's cost is the cost; what is no time of the request's is the price, also below 0."""
    item, boards = waiting(output_limit=50), [node("a", ("m1",)), node("b", ("m1",))]
    known = beliefs()
    lanes = [lane(each, {}, 0.0, known) for each in boards]
    offered = {"a": Offered(7.5, 1.0, 0.0), "b": Offered(4.0, 0.0, 0.0)}

    found = candidates(item, boards, {}, lanes, NOBODY, known, FIXED, offered=offered)

    assert [(each.node, each.terms) for each in found] == [
        ("b", Terms(0.0, 0.0, 0.0, 5.0, about(-1.0))),
        ("a", Terms(1.0, 0.0, 0.0, 5.0, about(1.5))),
    ]


def test_a_board_that_the_plan_left_out_is_kept_for_another() -> None:
    """It has room, and was not compared: a request that saw a crash is to have it alone."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    known = beliefs()
    lanes = [lane(each, {}, 0.0, known) for each in boards]

    found = candidates(
        waiting(), boards, {}, lanes, NOBODY, known, FIXED, offered={"a": Offered(1.0, 0.0, 0.0)}
    )

    assert [(each.node, each.reason) for each in found] == [("a", ""), ("b", "suspect")]


@pytest.mark.parametrize(
    ("mine", "warm", "others", "word"),
    [
        (Terms(decode_s=5.0), True, Terms(decode_s=6.0), "resident"),
        (Terms(load_s=1.0, decode_s=3.0), False, Terms(decode_s=6.0), "soonest"),
        (Terms(decode_s=9.0), True, Terms(load_s=2.0, decode_s=4.0, price_s=5.0), "spares_load"),
        (Terms(decode_s=9.0), True, Terms(decode_s=6.0, price_s=5.0), "spares_board"),
        (Terms(decode_s=9.0, price_s=-4.0), False, Terms(decode_s=6.0), "spares_board"),
        (Terms(decode_s=9.0), True, Terms(decode_s=8.5), "least_energy"),
    ],
)
def test_the_reason_is_true(mine: Terms, warm: bool, others: Terms, word: str) -> None:
    """Only where the answer is expected first does it say so."""
    looked = (Candidate("a", "", warm, 0, mine), Candidate("b", "full", True, 1, others),
              Candidate("c", "hot", True))  # fmt: skip

    assert why("a", looked) == word
    assert why("a", looked[:1]) == ("resident" if warm else "soonest")
