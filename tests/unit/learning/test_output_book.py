"""How long answers are."""

from __future__ import annotations

import pytest

from orion_router.learning.outputs import MAX_CLASSES, MAX_WEIGHT, OutputBook

M1 = "m1:latest"


def test_the_first_answers_move_the_usual_length() -> None:
    """128 tokens count as two answers: (2 x 128 + 32) / 3, then (3 x 96 + 48) / 4."""
    book = OutputBook()
    book.learn(M1, "batch", 32)
    assert book.means == {(M1, "batch"): 96.0, ("", ""): 96.0}
    book.learn(M1, "batch", 48)
    assert book.means[M1, "batch"] == 84.0


def test_each_class_has_its_mean_and_all_have_one_together() -> None:
    """What is not known yet begins with the usual length, not with the others'."""
    book = OutputBook()
    book.learn(M1, "batch", 32)
    book.learn("m2:latest", "interactive", 128)

    assert book.means == {(M1, "batch"): 96.0, ("m2:latest", "interactive"): 128.0,
                          ("", ""): 104.0}  # fmt: skip


def test_a_single_long_answer_hardly_counts() -> None:
    """At most as four times the mean."""
    book = OutputBook()
    book.learn(M1, "batch", 10**6)
    assert book.means[M1, "batch"] == 256.0
    book = OutputBook()
    book.learn(M1, "batch", 512)
    assert book.means[M1, "batch"] == 256.0


@pytest.mark.parametrize("tokens", [0, -1])
def test_no_tokens_are_no_answer(tokens: int) -> None:
    """Nothing is learned."""
    book = OutputBook()
    book.learn(M1, "batch", tokens)

    assert book.means == {}


def test_a_single_token_is_an_answer() -> None:
    """Of a classifier, say."""
    book = OutputBook()
    book.learn(M1, "batch", 1)

    assert book.means[M1, "batch"] == pytest.approx(257 / 3)


def test_what_was_long_ago_is_forgotten() -> None:
    """The mean weighs no more than 50 answers: one of 178 moves 128 by exactly 1."""
    book = OutputBook()
    for _ in range(100):
        book.learn(M1, "batch", 128)
    book.learn(M1, "batch", 178)

    assert book.means[M1, "batch"] == 129.0


def test_no_more_classes_than_a_store_has_room_for() -> None:
    """The oldest goes, never the mean of all; a class that went begins anew."""
    book = OutputBook()
    for i in range(MAX_CLASSES + 4):
        book.learn(f"m{i}", "batch", 32)

    assert len(book.means) == MAX_CLASSES
    assert ("", "") in book.means
    assert ("m4", "batch") not in book.means
    assert ("m5", "batch") in book.means
    assert set(book.dump()) == {"/"} | {f"batch/m{i}" for i in range(5, MAX_CLASSES + 4)}
    book.learn("m4", "batch", 32)
    assert book.means["m4", "batch"] == 96.0


def test_a_book_is_kept_over_a_restart() -> None:
    """Means to a tenth of a token; a slash in a model's name stays there."""
    book = OutputBook()
    book.learn("hf.co/x/m1", "batch", 33)
    document = book.dump()
    assert document == {"batch/hf.co/x/m1": [96.3, 3.0], "/": [96.3, 3.0]}

    again = OutputBook()
    again.load(document)
    assert again.dump() == document
    again.learn("hf.co/x/m1", "batch", 96)
    assert again.means["hf.co/x/m1", "batch"] == pytest.approx((3 * 96.3 + 96) / 4)


def test_what_cannot_be_is_not_taken_from_the_store() -> None:
    """Others may write there: no mean of nothing or of millions, no weight beyond ours."""
    book = OutputBook()
    book.load({
        "a/m": [0, 1.0], "b/m": [1e6, 1.0], "c/m": [5.0, 0], "d/m": [5.0, MAX_WEIGHT + 1],
        "e/m": [999_999.0, MAX_WEIGHT], "f/m": [0.5, 0.5], "g/m": [-1.0, 1.0], "h/m": [1.0, -1.0],
    })  # fmt: skip

    assert book.means == {("m", "e"): 999_999.0, ("m", "f"): 0.5}
    book.learn("m", "e", 999_999)
    with pytest.raises((ValueError, TypeError)):
        book.load({"a/m": "x"})
    with pytest.raises((ValueError, TypeError)):
        book.load({"a/first": [5, 1], "a/m": ["x", 1]})
    assert ("first", "a") not in book.means


def test_only_as_much_as_there_is_room_for_is_read() -> None:
    """256 classes."""
    book = OutputBook()
    book.load({f"batch/m{i}": [5.0, 5.0] for i in range(300)})

    assert len(book.means) == MAX_CLASSES
