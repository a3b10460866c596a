"""Where each board's temperature goes, by the slopes of its reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.fleets import node
from orion_router.fleet import Node
from orion_router.learning.heat import STEADY_S, HeatBook
from orion_router.policy.heat import Climate

NOBODY: frozenset[str] = frozenset()
A = frozenset({"a"})


def board(celsius: float | None, slope: float, heard_s: float = 0.0) -> Node:
    return replace(node("a", temperature_c=celsius), slope_c_per_s=slope, heard_s=heard_s)


def seen(book: HeatBook, *reports: tuple[float, float | None, float, bool]) -> HeatBook:
    """Moment, temperature, slope, and whether the board is busy."""
    for now_s, celsius, slope, busy in reports:
        book.looked({"a": board(celsius, slope, now_s)}, A if busy else NOBODY, now_s)
    return book


def test_a_slope_tells_where_the_temperature_goes() -> None:
    """60 °C and 0.2 °C/s over 150 s: it settles at 90 °C; idle, 40 - 0.05 x 150 is 32.5 °C."""
    book = seen(HeatBook(), (0.0, 60.0, 0.2, True), (10.0, 60.0, 0.2, True))
    assert book.climates == {"a": Climate(90.0, 40.0)}, "at rest unknown: 20 °C less than now"

    seen(book, (20.0, 40.0, -0.05, False), (30.0, 40.0, -0.05, False), (40.0, 60.0, 0.2, True),
         (50.0, 60.0, 0.2, True))  # fmt: skip
    assert book.climates == {"a": Climate(90.0, 32.5)}


def test_a_board_that_is_never_busy_has_no_climate() -> None:
    """What load does to it is not known."""
    book = seen(HeatBook(), (0.0, 40.0, -0.05, False), (10.0, 40.0, -0.05, False))

    assert book.climates == {}


def test_at_rest_it_is_cooler_than_under_load() -> None:
    """Not known yet, and hotter now than where load brings it: 20 °C below that."""
    book = seen(HeatBook(), (0.0, 85.0, -0.1, True), (10.0, 85.0, -0.1, True))

    assert book.climates == {"a": Climate(70.0, 50.0)}


def test_a_slope_counts_only_after_some_time_of_the_same() -> None:
    """Not in the first 10 s of load or rest."""
    early = STEADY_S - 0.1
    assert seen(HeatBook(), (0.0, 60.0, 0.2, True), (early, 60.0, 0.2, True)).climates == {}
    changed = seen(HeatBook(), (0.0, 60.0, 0.2, False), (9.0, 60.0, 0.2, True),
                   (10.0, 60.0, 0.2, True), (18.9, 60.0, 0.2, True))  # fmt: skip
    assert changed.climates == {}
    assert seen(changed, (19.0, 60.0, 0.2, True)).climates == {"a": Climate(90.0, 40.0)}


def test_one_report_counts_once() -> None:
    """Looked at again without news, it is the same slope."""
    book = seen(HeatBook(), (0.0, 60.0, 0.2, True), (10.0, 60.0, 0.2, True))
    book.looked({"a": board(70.0, 0.4, 10.0)}, A, 11.0)
    assert book.climates["a"].settles_c == 90.0

    book.looked({"a": board(60.0, 0.4, 12.0)}, A, 12.0)
    assert book.climates["a"].settles_c == pytest.approx(90.0 + 0.2 * 30.0)


@pytest.mark.parametrize(
    ("celsius", "slope"),
    [(None, 0.2), (60.0, 0.0), (60.0, 0.5), (60.0, -0.6), (55.0, 0.5), (-20.0, -0.001)],
)
def test_what_cannot_be_is_no_sample(celsius: float | None, slope: float) -> None:
    """No temperature, no slope, or a board of 130 °C or -20 °C."""
    assert seen(HeatBook(), (0.0, 60.0, 0.2, True), (10.0, celsius, slope, True)).climates == {}


def test_a_board_without_a_report_has_no_sample() -> None:
    """It has no temperature."""
    book = HeatBook()
    for now_s in (0.0, 10.0):
        book.looked({"a": Node("a", None, True, slope_c_per_s=0.2, heard_s=now_s)}, A, now_s)

    assert book.climates == {}


def test_boards_are_learned_apart_and_forgotten() -> None:
    """One that is gone begins anew when it returns."""
    book = seen(HeatBook(), (0.0, 60.0, 0.2, True), (10.0, 60.0, 0.2, True))
    nodes = {"a": board(60.0, 0.0, 20.0), "b": replace(board(50.0, 0.1, 20.0), name="b")}
    book.looked(nodes, frozenset({"b"}), 20.0)
    book.looked({n: replace(each, heard_s=30.0) for n, each in nodes.items()},
                frozenset({"b"}), 30.0)  # fmt: skip
    assert book.climates == {"a": Climate(90.0, 40.0), "b": Climate(65.0, 30.0)}

    book.forget(frozenset({"b"}))
    assert list(book.climates) == ["b"]
    assert seen(book, (31.0, 60.0, 0.4, True)).climates == {"b": Climate(65.0, 30.0)}
    seen(book, (41.0, 60.0, 0.4, True))
    assert book.climates["a"] == Climate(120.0, 40.0), "nothing is left of before"


def test_a_board_that_cannot_be_compared_does_not_keep_others_from_it() -> None:
    """Each board's report is judged by itself, whatever comes before it."""
    book = HeatBook()
    for now_s in (0.0, 10.0, 20.0):
        nodes = {"x": board(None, 0.2, now_s), "y": board(60.0, 0.0, now_s),
                 "z": board(60.0, 9.0, now_s), "a": board(60.0, 0.2, now_s),
                 "w": board(60.0, 0.2, 0.0)}  # fmt: skip
        if now_s == 0.0:
            nodes.pop("y")
        book.looked(nodes, frozenset(nodes), now_s)

    assert book.climates["a"] == Climate(90.0, 40.0)
