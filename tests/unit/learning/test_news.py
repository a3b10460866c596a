"""Whatever is learned is told: else who keeps what follows from it would keep it for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builders.fleets import node
from builders.worlds import M1
from orion_router.learning.learner import Learner
from orion_router.learning.rates import MAX_PAIRS
from orion_router.policy.beliefs import LENGTHS


def learner() -> Learner:
    """One that has read a file and seen a rate of each of two boards."""
    found = Learner()
    for name in ("a", "b"):
        found.rates.learn(name, M1, output_tokens=100, output_s=10.0)
        found.pages.used(name, M1, 1)
    return found


LEARN: dict[str, tuple[Callable[[Learner], None], set[str]]] = {
    "rate": (lambda it: it.rates.learn("a", M1, load_s=3.0), {"a"}),
    "stored rates": (lambda it: it.rates.load("a", it.rates.dump("b")), {"a"}),
    "read": (lambda it: it.pages.used("a", M1, 2), {"a"}),
    "misjudged": (lambda it: it.pages.judge("a", True, False), {"a"}),
    "judged": (lambda it: it.pages.judge("a", True, True), set()),
    "gone": (lambda it: it.pages.forget(frozenset("a")), {"b"}),
    "length": (lambda it: it.outputs.learn(M1, "batch", 9), {LENGTHS}),
    "no length": (lambda it: it.outputs.learn(M1, "batch", 0), set()),
    "stored lengths": (lambda it: it.outputs.load({"batch/m1": [9.0, 3.0]}), {LENGTHS}),
}


@pytest.mark.parametrize("name", LEARN)
def test_each_thing_learned_is_told_of_whom_it_concerns(name: str) -> None:
    """And of nobody else."""
    mine, (learn, told) = learner(), LEARN[name]
    before = dict(mine.news.latest)
    learn(mine)
    after = mine.news.latest

    assert {each for each in after if after[each] != before.get(each)} == told


def test_a_rate_that_is_dropped_for_another_is_told_of() -> None:
    """The pair used longest ago makes room: its board is no longer as fast as was believed."""
    mine = learner()
    before = mine.news.latest["a"]
    for i in range(MAX_PAIRS - 1):
        mine.rates.learn("c", f"m{i}", load_s=1.0)

    assert ("a", M1) not in mine.rates.speeds
    assert mine.news.latest["a"] != before


def test_boards_that_are_no_more_are_forgotten() -> None:
    """With their numbers; that of the lengths stays, and no number is given twice."""
    mine = learner()
    mine.outputs.learn(M1, "batch", 9)
    numbers = set(mine.news.latest.values())
    mine.looked({"b": node("b", ("m1",))}, frozenset(), 0.0)
    assert set(mine.news.latest) == {"b", LENGTHS}

    mine.rates.learn("a", M1, load_s=1.0)
    assert mine.news.latest["a"] not in numbers
