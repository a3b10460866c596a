"""Conversations and their boards: what is learned and what is decided, together."""

from __future__ import annotations

from dataclasses import replace

from builders.fleets import fleet, held, node, waiting
from builders.worlds import FIXED
from orion_contracts.config import Routing
from orion_contracts.facts import Facts
from orion_contracts.prefixes import Prefix
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.learning.learner import Learner
from orion_router.policy import Tuning, Waiting, assign

PAUSE_S = 30.0
SIZE_BYTES = 720_000_000
"""80 ms for a token of an answer, 11.4 ms for one of a prompt, a load of 10.5 s."""


def board(name: str, room_bytes: int | None = None, *resident: str) -> Node:
    """A board of one place with m1 in memory; `room_bytes`: for prompts, as it was told."""
    found = node(name, resident or ("m1",), models={"m1": SIZE_BYTES, "m2": SIZE_BYTES})
    assert found.health is not None
    return replace(found, health=replace(found.health, prompt_cache_bytes=room_bytes))


def chain(name: str, turns: int) -> tuple[Prefix, ...]:
    """A prompt of so many turns of 400 tokens."""
    return tuple(Prefix(f"{name}{i}", 400 * (i + 1)) for i in range(turns))


def asks(name: str, turns: int, since_s: float, request_id: str = "") -> Waiting:
    """The next turn of a conversation, or its first."""
    return waiting("m1", request_id or name, since_s, prefixes=chain(name, turns),
                   input_tokens=400 * turns)  # fmt: skip


class Home:
    """Boards and what was learned of them, as the planner has it."""

    def __init__(self, *boards: Node) -> None:
        self.fleet, self.learner = fleet(*boards), Learner()

    def ran(self, name: str, turns: int, on: str, until_s: float, took_s: float = 10.0) -> None:
        """A turn was answered there."""
        meta = asks(name, turns, 0.0).meta
        told = Facts(
            prompt_tokens=meta.input_tokens,
            prompt_s=meta.input_tokens / 87.5,
            output_tokens=10,
            output_s=0.8,
        )
        held_by = Held("m1", meta, until_s - took_s)
        self.learner.finished(self.fleet.nodes[on], held_by, told, until_s)

    def talked(self, name: str, on: str, until_s: float) -> None:
        """People ask on after half a minute, five times in six."""
        for conversation in range(20):
            for turn in range(1, 6):
                at_s = until_s - 4000.0 + conversation * 200.0 + turn * (10.0 + PAUSE_S)
                self.ran(f"{name}-{conversation}-", turn, on, at_s)

    def given(
        self, *queue: Waiting, now_s: float, load: dict[str, dict[str, Held]] | None = None,
        tuning: Tuning = FIXED,
    ) -> dict[str, str]:  # fmt: skip
        """Which request goes to which board now."""
        beliefs = self.learner.beliefs(now_s)
        decisions = assign(queue, self.fleet, load or {}, now_s, Routing(), beliefs=beliefs,
                           tuning=tuning)  # fmt: skip
        return {each.request_id: each.node for each in decisions if each.verdict == "assign"}


def test_a_newcomer_leaves_a_conversation_its_board_for_as_long_as_it_may_go_on() -> None:
    """Board a has the conversation; after five minutes nobody expects it back."""
    home = Home(board("a"), board("b"))
    home.talked("x", "b", 500.0)
    home.ran("x", 1, "a", 1000.0)
    home.ran("old", 1, "b", 700.0)

    assert home.given(asks("new", 1, 1001.0), now_s=1001.0) == {"new": "b"}
    assert home.given(asks("x", 2, 1001.0), now_s=1001.0) == {"x": "a"}
    home.ran("x", 1, "a", 1000.0)
    assert home.given(asks("new", 1, 9000.0), now_s=9000.0) == {"new": "a"}


def test_where_nobody_ever_asks_on_a_prompt_is_worth_little() -> None:
    """A module that asks for one answer at a time: the first idle board is as good as any, and a
    load elsewhere costs no prompts."""
    home = Home(board("a"), board("b"))
    for number in range(300):
        home.ran(f"one-{number}-", 1, "b", float(number))
    home.ran("x", 1, "a", 1000.0)
    prompts = home.learner.prompts

    assert home.learner.returns.share("interactive") < 0.02
    assert prompts.at_risk("a", "m1:latest", 1000.0, all_of_them=True) < 10.0


def test_the_chance_that_a_conversation_goes_on_is_learned() -> None:
    """Four in five requests are followed by another, after half a minute."""
    home = Home(board("a"), board("b"))
    home.talked("x", "b", 500.0)

    assert 0.7 < home.learner.returns.share("interactive") < 0.85
    assert 25.0 < home.learner.prompts.pause_s < 40.0
    assert home.learner.prompts.pause_s == home.learner.returns.pause_s


def test_a_model_is_not_exchanged_for_seconds_where_prompts_would_go_with_it() -> None:
    """m2 is on b too, which is busy for a few seconds: loading it on a would throw away what a
    conversation of m1 is expected to ask for again."""
    home = Home(board("a"), board("b", None, "m2"))
    request = waiting("m2", "n", 1001.0, input_tokens=10)
    busy = {"b": {"r": held("m2", since_s=1001.0, input_tokens=1700, output_limit=100)}}
    free = home.given(request, now_s=1001.0, load=busy)
    home.talked("x", "a", 900.0)
    for turn in range(1, 6):
        home.ran("x", turn, "a", 900.0 + 20.0 * turn)

    assert free == {"n": "a"}
    assert home.given(request, now_s=1001.0, load=busy) == {}


def test_a_prompt_that_is_being_pushed_out_is_not_waited_for() -> None:
    """Board a was told that it has no room beside its slot, and reads another prompt: the
    conversation goes to the idle one. Where nothing is known of the room it waits for a."""
    for room_bytes, goes in ((0, {"x": "b"}), (None, {})):
        home = Home(board("a", room_bytes), board("b", room_bytes))
        home.ran("x", 4, "a", 1000.0)
        running = {"a": {"r": held("m1", since_s=1001.0, input_tokens=10, output_limit=5)}}

        assert home.given(asks("x", 5, 1001.0), now_s=1001.0, load=running) == goes


def test_its_own_turn_pushes_out_nothing_of_another_conversation() -> None:
    """A room for two: y goes on in its own place, x is still there."""
    home = Home(board("a"), board("b"))
    prompts = home.learner.prompts
    for name in "mnm":  # one was missed once: then a room counts
        took_s = 1.0 if prompts.boards() else 0.0
        prompts.used("a", "m1:latest", chain(name, 1), 0, 1, took_s, took_s)
    for name in "xy":
        prompts.used("a", "m1:latest", chain(name, 2), 10, most_tokens=1800)

    def running(name: str, turns: int) -> dict[str, dict[str, Held]]:
        facts = asks(name, turns, 0.0).meta
        return {"a": {"r": Held("m1", replace(facts, output_limit=1), 900.0)}}

    talk = asks("x", 3, 1001.0)
    assert home.given(talk, now_s=1001.0, load=running("y", 3)) == {}
    assert home.given(talk, now_s=1001.0, load=running("z", 3)) == {"x": "b"}


def test_what_a_board_still_has_is_no_work() -> None:
    """One board, which has x: of two that came together the shorter one goes first, and x's next
    turn of 1,200 tokens is shorter than a first one of 800."""
    home = Home(board("a"))
    home.ran("x", 2, "a", 1000.0)
    short_first = replace(FIXED, patience=1.0)
    new, later = asks("new", 2, 1005.0), asks("x", 3, 1005.0)

    assert home.given(new, later, now_s=1006.0, tuning=short_first) == {"x": "a"}
    assert home.given(new, asks("y", 3, 1005.0), now_s=1006.0, tuning=short_first) == {"new": "a"}
