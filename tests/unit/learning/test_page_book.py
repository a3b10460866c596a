"""Which model files each board probably still has in its page cache."""

from __future__ import annotations

from builders.fleets import node
from orion_router.fleet import Node
from orion_router.learning.pages import DEEPEST, PageBook

M1, M2, M3 = "m1:latest", "m2:latest", "m3:latest"


def board(available: int | None, resident: tuple[str, ...] = ()) -> Node:
    return node("a", resident, memory_available_bytes=available)


def read(*files: tuple[str, int]) -> PageBook:
    book = PageBook()
    for name, size in files:
        book.used("a", name, size)
    return book


def test_the_files_read_last_are_there_as_far_as_memory_goes() -> None:
    """85 % of 1000 bytes: the last one's 500 and 350 of the one before, not one more."""
    assert read((M1, 350), (M2, 500)).warm(board(1000), M2)
    assert read((M1, 350), (M2, 500)).warm(board(1000), M1)
    assert not read((M1, 351), (M2, 500)).warm(board(1000), M1)
    assert not read((M1, 1), (M2, 851)).warm(board(1000), M1)
    assert not read((M1, 350)).warm(board(1000), M2)


def test_nothing_is_known_of_a_board_without_figures() -> None:
    """No file read there, no report, or no memory told."""
    assert not PageBook().warm(board(1000), M1)
    assert not read((M1, 1)).warm(board(None), M1)
    assert not read((M1, 1)).warm(board(0), M1)
    assert not read((M1, 1)).warm(Node("a", None, True), M1)
    assert not read((M1, 1)).warm(node("b", memory_available_bytes=1000), M1)


def test_what_is_in_memory_takes_nothing_of_what_is_available() -> None:
    """It is counted already; and needs no load."""
    book = read((M1, 800), (M2, 800))

    assert not book.warm(board(1000), M1)
    assert book.warm(board(1000, ("m2",)), M1)
    assert not book.warm(board(1000, ("m1",)), M1)


def test_a_file_that_is_read_again_is_the_last_to_go() -> None:
    """And is counted once, with its newest size."""
    book = read((M1, 400), (M2, 400), (M3, 400), (M1, 450))

    assert [book.warm(board(1000), m) for m in (M1, M3, M2)] == [True, True, False]
    assert read((M1, 900), (M1, 400), (M2, 400)).warm(board(1000), M1)


def test_no_more_files_are_remembered_than_can_matter() -> None:
    """16."""
    book = read(*((f"f{i}", 1) for i in range(DEEPEST + 1)))

    assert not book.warm(board(1000), "f0")
    assert book.warm(board(1000), "f1")


def test_a_belief_follows_what_loads_show() -> None:
    """A miss takes 30 % of the trust, a surprise gives a quarter; what was expected changes it not;
    between a tenth and the whole."""
    book = read((M1, 594))
    book.judge("a", True, True)
    book.judge("a", False, False)
    assert book.warm(board(1000), M1)
    book.judge("a", True, False)
    assert book.warm(board(1000), M1), "0.595"
    assert not read_and_judged(596, (True, False))
    assert read_and_judged(743, (True, False), (False, True)), "0.74375"
    assert not read_and_judged(744, (True, False), (False, True))
    assert read_and_judged(1000, (False, True))
    assert not read_and_judged(1001, (False, True))
    assert read_and_judged(100, *[(True, False)] * 9)
    assert not read_and_judged(101, *[(True, False)] * 9)


def read_and_judged(size: int, *loads: tuple[bool, bool]) -> bool:
    book = read((M1, size))
    for believed, was in loads:
        book.judge("a", believed, was)
    return book.warm(board(1000), M1)


def test_a_board_that_is_gone_is_forgotten_with_its_trust() -> None:
    """The others are not."""
    book = read((M1, 800))
    book.used("b", M1, 800)
    book.judge("a", True, False)
    book.forget(frozenset({"b"}))
    assert not book.warm(board(1000), M1)
    assert book.warm(node("b", memory_available_bytes=1000), M1)

    book.used("a", M1, 800)
    assert book.warm(board(1000), M1)
