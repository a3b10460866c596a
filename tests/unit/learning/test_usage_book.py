"""Seconds of work that each source had lately."""

from __future__ import annotations

import pytest

from orion_router.learning.usage import HALF_LIFE_S, MAX_SOURCES, UsageBook


def test_seconds_add_up_and_fade() -> None:
    """Half of it is forgotten after five minutes."""
    book = UsageBook()
    book.add("a", 8.0, 0.0)
    book.add("a", 2.0, 0.0)
    book.add("b", 1.0, 0.0)

    assert book.at(0.0) == {"a": 10.0, "b": 1.0}
    assert book.at(HALF_LIFE_S) == {"a": 5.0, "b": 0.5}
    book.add("a", 1.0, HALF_LIFE_S)
    assert book.at(HALF_LIFE_S)["a"] == 6.0
    assert book.at(2 * HALF_LIFE_S)["a"] == pytest.approx(3.0)
    assert HALF_LIFE_S == 300.0


def test_no_source_gains_by_a_figure_that_cannot_be() -> None:
    """Less than nothing is nothing."""
    book = UsageBook()
    book.add("a", 8.0, 0.0)
    book.add("a", -5.0, 0.0)

    assert book.at(0.0) == {"a": 8.0}


def test_who_had_the_least_is_forgotten_first() -> None:
    """1024 sources are kept; by what is left of it now."""
    book = UsageBook()
    book.add("old", 500.0, -10 * HALF_LIFE_S)
    for i in range(MAX_SOURCES - 1):
        book.add(f"s{i}", 1.0, 0.0)
    assert len(book.at(0.0)) == MAX_SOURCES
    book.add("new", 2.0, 0.0)

    assert len(book.at(0.0)) == MAX_SOURCES
    assert "old" not in book.at(0.0)
    assert book.at(0.0)["new"] == 2.0
