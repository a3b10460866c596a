"""What the planner has learned, as the policy reads it."""

from __future__ import annotations

from builders.fleets import node
from orion_contracts.config import NodeConfig
from orion_router.fleet import Node
from orion_router.policy.beliefs import NO_BELIEFS, Beliefs, NoPages, NoPrompts
from orion_router.policy.speeds import Learned, Speed, speed

M1 = "m1:latest"


def test_a_boards_own_report_comes_after_what_was_learned() -> None:
    """And before the rule of thumb for its file and its storage."""
    rates = {M1: {"decode_tokens_per_second": 5.0}}
    board = node("a", models={"m1": 2_000_000_000}, rates=rates,
                 said=NodeConfig(storage_bytes_per_second=400e6))  # fmt: skip

    assert NO_BELIEFS.speed(board, M1) == Speed(1 / 35.0, 0.2, 5.5)
    learned = Beliefs({("a", M1): Learned(100.0, 10.0, 2.0), ("b", M1): Learned(1.0, 1.0, 1.0)})
    assert learned.speed(board, M1) == Speed(0.01, 0.1, 2.0)


def test_a_speed_is_worked_out_once_for_a_snapshot_and_a_figure() -> None:
    """The same object again; another figure gives another one."""
    board, figure = node("a"), Learned(100.0, 10.0, 2.0)
    first = Beliefs({("a", M1): figure}).speed(board, M1)

    assert Beliefs({("a", M1): figure}).speed(board, M1) is first
    assert NO_BELIEFS.speed(board, M1) == speed(0, None)
    assert NO_BELIEFS.speed(board, "m2:latest") == speed(0, None)
    assert Beliefs({("a", M1): figure}).speed(board, M1) == first


def test_a_board_that_never_reported_has_the_usual_speed() -> None:
    """Its worker may be older than the router."""
    assert NO_BELIEFS.speed(Node("a", None, True), M1) == speed(0, None)


def test_an_answer_is_as_long_as_such_answers_were() -> None:
    """By model and class, else by all of them, else 128 tokens; never beyond the client's limit."""
    beliefs = Beliefs(outputs={(M1, "batch"): 40.0, ("", ""): 70.0})

    assert beliefs.output_tokens(M1, "batch", 0) == 40.0
    assert beliefs.output_tokens(M1, "interactive", 0) == 70.0
    assert beliefs.output_tokens("m2:latest", "batch", 0) == 70.0
    assert beliefs.output_tokens(M1, "batch", 40) == 40.0
    assert beliefs.output_tokens(M1, "batch", 39) == 39.0
    assert beliefs.output_tokens(M1, "batch", 1) == 1.0
    assert NO_BELIEFS.output_tokens(M1, "batch", 0) == 128.0
    assert NO_BELIEFS.output_tokens(M1, "batch", 500) == 128.0


class WarmPages:
    """Every file of these boards is in the page cache."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def warm(self, node: Node, model: str) -> bool:
        """See `Pages`."""
        return node.name in self._names


def test_a_file_in_the_page_cache_loads_fast() -> None:
    """What is resident needs no load at all; both are remembered apart."""
    board, home = node("a"), node("a", ("m1",))
    pages = Beliefs(pages=WarmPages("a"))

    assert pages.speed(board, M1).load_s == 0.75
    assert NO_BELIEFS.speed(board, M1).load_s == speed(0, None).load_s
    assert pages.speed(board, M1).load_s == 0.75
    assert pages.speed(home, M1).load_s == speed(0, None).load_s
    assert not NoPages().warm(board, M1)


def test_without_a_book_no_prompt_is_cached() -> None:
    """Every prompt is read whole."""
    assert NoPrompts().kept(M1, [("x", 9)]) == {}
    assert NO_BELIEFS.prompts.kept(M1, [("x", 9)]) == {}
