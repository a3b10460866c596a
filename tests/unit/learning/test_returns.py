"""Whether conversations go on, and after how long."""

from __future__ import annotations

import pytest

from orion_router.learning.returns import REMEMBERED, ReturnBook


def talk(name: str, turns: int) -> list[tuple[str, int]]:
    """A prompt of so many turns; all share the system prompt."""
    return [("system", 10), *((f"{name}{i}", 100 * (i + 1)) for i in range(turns))]


def after(*turns: int, pause_s: float = 30.0, priority: str = "interactive") -> ReturnBook:
    """Conversations of so many turns each; an answer takes 5 s."""
    book, now_s = ReturnBook(), 0.0
    for number, count in enumerate(turns):
        for turn in range(1, count + 1):
            book.answered(priority, talk(f"x{number}-", turn), now_s, now_s + 5.0)
            now_s += 5.0 + pause_s
    return book


def test_nothing_seen_is_an_even_chance_and_a_minute() -> None:
    """Until ten requests say otherwise."""
    book = ReturnBook()

    assert book.share("interactive") == 0.5
    assert book.pause_s == 60.0


def test_the_share_is_that_of_the_requests_that_go_on() -> None:
    """Of 100 in conversations of five turns, 80 are a return; of single ones none is."""
    assert after(*[5] * 40).share("interactive") == pytest.approx(0.8, abs=0.03)
    assert after(*[1] * 200).share("interactive") < 0.1


def test_one_request_moves_the_guess_by_an_eleventh() -> None:
    """As if ten had been seen before it."""
    assert after(1).share("interactive") == pytest.approx(0.5 - 0.5 / 11)
    assert after(2).share("interactive") == pytest.approx(0.4545454 + 0.5454545 / 12)
    assert after(2).pause_s == pytest.approx(60.0 - 30.0 / 11)


def test_what_all_prompts_share_is_no_return() -> None:
    """A system prompt is the beginning of a prompt, and never was one."""
    assert after(1, 1, 1).share("interactive") < after(3).share("interactive")


def test_classes_are_apart() -> None:
    """A batch that never goes on says nothing of people."""
    book = after(*[1] * 50, priority="batch")

    assert book.share("batch") < 0.2
    assert book.share("interactive") == 0.5


def test_the_pause_is_from_the_answer_to_the_next_turn() -> None:
    """A single night does not count as one."""
    assert after(*[5] * 40, pause_s=30.0).pause_s == pytest.approx(30.0, abs=1.5)
    assert after(2, pause_s=40_000.0).pause_s == pytest.approx(60.0 + 180.0 / 11)
    assert after(*[2] * 400, pause_s=0.0).pause_s >= 1.0


def test_a_request_without_a_prompt_tells_nothing() -> None:
    """Embeddings."""
    book = ReturnBook()
    book.answered("interactive", [], 0.0, 1.0)

    assert book.share("interactive") == 0.5


def test_no_more_is_remembered_than_can_matter() -> None:
    """The oldest answers are forgotten: a turn after them is a new conversation."""
    book = ReturnBook()
    book.answered("interactive", talk("old", 1), 0.0, 1.0)
    for number in range(REMEMBERED):
        book.answered("interactive", talk(f"n{number}-", 1), 0.0, 1.0)
    before = book.share("interactive")
    book.answered("interactive", talk("old", 2), 2.0, 3.0)

    assert book.share("interactive") < before


def test_it_is_kept_over_a_restart() -> None:
    """What nothing can be is passed over; another shape is refused whole."""
    book, again = after(*[5] * 40), ReturnBook()
    again.load(book.dump())
    assert again.dump() == book.dump()
    assert again.share("interactive") == pytest.approx(book.share("interactive"), abs=0.001)
    assert again.pause_s == pytest.approx(book.pause_s, abs=0.1)

    hostile = {"": [0.5, 3.0], "interactive": [1.5, 9.0], "batch": [0.2, 101.0], "x": [0.1, 1.0]}
    again.load(hostile)
    again.load({"": [3601.0, 3.0]})
    assert again.dump() == book.dump()
    for shape in ({"": 3.0}, {"": ["x", 1.0]}, {"": [1.0]}, {"batch": None}):
        with pytest.raises((ValueError, TypeError)):
            again.load({"interactive": [0.1, 1.0], **shape})
    assert again.dump() == book.dump()


def test_a_class_that_is_none_is_not_learned() -> None:
    """There are two."""
    book = after(*[1] * 50, priority="other")

    assert book.share("other") == 0.5
    assert list(book.dump()) == [""]


def test_the_turn_before_counts_not_an_older_one() -> None:
    """A second turn of the same first one, 100 s later, is a new branch of no known answer."""
    book = ReturnBook()
    book.answered("interactive", talk("x", 1), 0.0, 5.0)
    book.answered("interactive", talk("x", 2), 35.0, 40.0)
    pause_s = book.pause_s
    book.answered("interactive", talk("x", 2), 140.0, 145.0)
    assert book.pause_s == pause_s, "its first turn went on already"
    book.answered("interactive", talk("x", 3), 155.0, 160.0)
    assert book.pause_s == pytest.approx(pause_s + (10.0 - pause_s) / 12)
