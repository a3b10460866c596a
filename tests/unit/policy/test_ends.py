"""When running requests end: worked out once per look at a board, and anew when it would differ."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from builders.fleets import held, node
from builders.worlds import M1, about, beliefs
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.ends import FORGOTTEN_BEYOND, End, ends
from orion_router.policy.speeds import Learned

KNOWN = beliefs(outputs=50.0)
FASTER = Beliefs({("a", M1): Learned(100.0, 20.0, 10.0)}, KNOWN.outputs)


def end_of(board: Node, request_id: str, each: Held, known: Beliefs, slower: float) -> End:
    return ends(board, M1, known.speed(board, M1), request_id, each, known, slower)


def test_an_end_is_a_moment() -> None:
    """2 s for the prompt, 5 s for the answer, without a limit; the clock alone moves it."""
    found = end_of(node("a", ("m1",)), "r", held(input_tokens=200), KNOWN, 1.0)

    assert (found.expected_at_s, found.residual_s, found.limit_at_s) == (7.0, 1.5, inf)
    assert [found.left_s(at_s) for at_s in (0.0, 3.0, 99.0)] == [7.0, 4.0, 1.5]


def test_it_is_worked_out_once_while_nothing_changes() -> None:
    """The same board, request and figures."""
    board, mine = node("a", ("m1",)), held()
    first = end_of(board, "r", mine, KNOWN, 1.0)

    assert end_of(board, "r", mine, KNOWN, 1.0) is first


def test_what_changes_it_is_seen_at_once() -> None:
    """A rate or a length that was learned meanwhile, heat, another attempt of the same request."""
    board, mine = node("a", ("m1",)), held()
    end_of(board, "r", mine, KNOWN, 1.0)

    assert end_of(board, "r", mine, FASTER, 1.0).expected_at_s == about(2.5)
    assert end_of(board, "r", mine, FASTER, 2.0).expected_at_s == about(5.0)
    again = replace(mine, since_s=30.0, attempt=2)
    assert end_of(board, "r", again, FASTER, 2.0).expected_at_s == about(35.0)
    longer = replace(FASTER, outputs={("", ""): 100.0})
    assert end_of(board, "r", again, longer, 2.0).expected_at_s == about(40.0)


def test_what_is_kept_has_a_bound() -> None:
    """A board that ends thousands of requests between two looks does not fill the memory."""
    board = node("a", ("m1",))
    for i in range(FORGOTTEN_BEYOND + 1):
        end_of(board, f"r{i}", held(), KNOWN, 1.0)

    assert 1 <= len(board.ends) <= FORGOTTEN_BEYOND
    assert FORGOTTEN_BEYOND >= 64, "more than any board has slots, or nothing is kept"
