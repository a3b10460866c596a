"""How fast each board is with each model, and whether it became slower."""

from __future__ import annotations

from typing import Any

import pytest

from orion_router.learning.rates import MAX_PAIRS, RateBook
from orion_router.policy.speeds import Learned

M1 = "m1:latest"


def ran(book: RateBook, node: str = "a", model: str = M1, **figures: Any) -> Learned:
    book.learn(node, model, **figures)
    return book.speeds[node, model]


def test_a_run_tells_what_it_measured() -> None:
    """Prompt and answer as tokens per second, the load in seconds; what is 0 is not known."""
    assert ran(RateBook(), fresh_tokens=300, prompt_s=3.0, output_tokens=50, output_s=5.0,
               load_s=7.0) == Learned(100.0, 10.0, 7.0)  # fmt: skip
    assert ran(RateBook()) == Learned()
    assert ran(RateBook(), fresh_tokens=300, output_tokens=50) == Learned()
    assert ran(RateBook(), prompt_s=3.0, output_s=5.0) == Learned()


def test_few_tokens_tell_nothing() -> None:
    """16 of a prompt and 4 of an answer are the least."""
    assert ran(RateBook(), fresh_tokens=15, prompt_s=1.0, output_tokens=3, output_s=1.0,
               ) == Learned()  # fmt: skip
    assert ran(RateBook(), fresh_tokens=16, prompt_s=1.0, output_tokens=4, output_s=1.0,
               ) == Learned(16.0, 4.0)  # fmt: skip


def test_figures_are_those_of_a_cool_board() -> None:
    """Measured at 1.25 times its usual time."""
    assert ran(RateBook(), fresh_tokens=100, prompt_s=1.0, output_tokens=8, output_s=1.0,
               derate=1.25) == Learned(125.0, 10.0)  # fmt: skip


def test_a_rate_is_the_median_of_the_last_sixteen() -> None:
    """An outlier moves nothing; of two in the middle the smaller one counts."""
    book = RateBook()
    for rate in (10, 1000, 12):
        found = ran(book, output_tokens=rate, output_s=1.0)
    assert found.decode_tokens_per_s == 12.0
    assert ran(book, output_tokens=20, output_s=1.0).decode_tokens_per_s == 12.0

    for _ in range(7):
        ran(book, fresh_tokens=100, prompt_s=1.0)
    assert ran(book, fresh_tokens=700, prompt_s=1.0).prefill_tokens_per_s == 100.0
    for _ in range(16):
        found = ran(book, fresh_tokens=700, prompt_s=1.0)
    assert found.prefill_tokens_per_s == 700.0


def test_a_change_for_good_is_followed_after_three_answers() -> None:
    """Twenty at 10, then all at 20: the third says so; two of three do not, and what is within a
    quarter is noise."""
    book = RateBook()
    for _ in range(20):
        ran(book, fresh_tokens=100, prompt_s=1.0, output_tokens=10, output_s=1.0)
    found = [ran(book, output_tokens=n, output_s=1.0) for n in (20, 9, 20, 12, 12, 12)]
    assert {each.decode_tokens_per_s for each in found} == {10.0}

    found = [ran(book, output_tokens=20, output_s=1.0) for _ in range(3)]
    assert [each.decode_tokens_per_s for each in found] == [10.0, 10.0, 20.0]
    assert found[-1].prefill_tokens_per_s == 100.0, "prompts are measured by themselves"
    back = [ran(book, output_tokens=10, output_s=1.0) for _ in range(3)]
    assert [each.decode_tokens_per_s for each in back] == [20.0, 20.0, 10.0]


def test_a_change_is_followed_over_a_restart() -> None:
    """What was kept has both; the next answer settles it, and none is counted twice."""
    book = RateBook()
    for tokens in (40, 40, 40, 40, 16, 16, 16):
        ran(book, fresh_tokens=200, prompt_s=10.0, output_tokens=tokens, output_s=4.0)
    for _ in range(4):
        again = RateBook()
        again.load("a", book.dump("a"))
        found = ran(again, output_tokens=16, output_s=4.0)
        assert found == Learned(20.0, 4.0)
        book = again


@pytest.mark.parametrize("saw", [(20, 15, 12, 9, 7), (7, 9, 12, 15, 20)])
def test_what_one_model_shows_moves_no_other(saw: tuple[int, ...]) -> None:
    """Chats that slow down as they grow, over and over: a model that does not run meanwhile is
    believed to be what it was."""
    book = RateBook()
    for _ in range(5):
        ran(book, model="m0", output_tokens=50, output_s=10.0)
    for tokens in saw * 100:
        found = ran(book, output_tokens=tokens, output_s=1.0)
        assert found.decode_tokens_per_s is not None
        assert min(saw) <= found.decode_tokens_per_s <= max(saw)
    assert book.speeds["a", "m0"] == Learned(None, 5.0)


def test_a_load_takes_the_least_of_the_last_three() -> None:
    """From the page cache in 2 s, until three loads from the disk have shown that it is gone."""
    book = RateBook()
    found = [ran(book, load_s=s).load_s for s in (9.0, 2.0, 10.0, 11.0, 12.0)]

    assert found == [9.0, 2.0, 2.0, 2.0, 10.0]


def test_a_load_from_the_page_cache_is_remembered_apart() -> None:
    """The least of the last three, too."""
    book = RateBook()
    ran(book, load_s=9.0)
    found = [ran(book, load_s=s, warm=True) for s in (1.0, 2.0, 3.0, 4.0)]

    assert [each.warm_load_s for each in found] == [1.0, 1.0, 1.0, 2.0]
    assert {each.load_s for each in found} == {9.0}
    assert book.dump("a")[M1]["warm_load_s"] == [2.0, 3.0, 4.0]
    again = RateBook()
    again.load("a", book.dump("a"))
    assert again.speeds["a", M1] == Learned(load_s=9.0, warm_load_s=2.0)


def test_a_board_that_became_slow_is_named() -> None:
    """Its last five below 60 % of the best five that it ever had: 5.9 of 10."""
    book = RateBook()

    def runs(count: int, tokens: int) -> dict[str, float]:
        for _ in range(count):
            ran(book, output_tokens=tokens, output_s=10.0)
        return book.slow("a")

    assert runs(5, 100) == {}
    assert runs(2, 59) == {}
    assert runs(1, 59) == {M1: pytest.approx(0.59)}
    assert book.slow("b") == {}
    assert runs(5, 60) == {}
    ran(book, "b", output_tokens=1000, output_s=1.0)
    assert book.slow("b") == {}
    assert runs(5, 200) == {}
    assert runs(3, 100) == {M1: pytest.approx(0.5)}
    assert book.slow("a") == {M1: pytest.approx(0.5)}


def test_a_few_fast_runs_are_no_baseline() -> None:
    """Five are needed: four of them, and then a slow time, say nothing."""
    book = RateBook()
    for tokens in (100, 100, 10, 10, 10):
        ran(book, output_tokens=tokens, output_s=1.0)

    assert book.slow("a") == {}


def test_models_of_a_board_are_judged_apart() -> None:
    """A short history of one does not hide another."""
    book = RateBook()
    ran(book, model="m0", output_tokens=50, output_s=1.0)
    for tokens in (100,) * 5 + (10,) * 5:
        ran(book, output_tokens=tokens, output_s=1.0)

    assert book.slow("a") == {M1: pytest.approx(0.1)}
    assert book.nodes() == {"a"}
    assert book.speeds["a", "m0"] == Learned(None, 50.0)


def test_the_pair_used_longest_ago_is_dropped() -> None:
    """4096 are kept."""
    book = RateBook()
    for i in range(MAX_PAIRS):
        ran(book, f"n{i}", output_tokens=50, output_s=1.0)
    ran(book, "n0", output_tokens=50, output_s=1.0)
    assert len(book.speeds) == MAX_PAIRS
    ran(book, "new", output_tokens=50, output_s=1.0)

    assert len(book.speeds) == MAX_PAIRS
    assert len(book.nodes()) == MAX_PAIRS
    assert ("n1", M1) not in book.speeds
    assert ("n0", M1) in book.speeds


def test_a_board_is_kept_over_a_restart() -> None:
    """Three significant digits of every sample; the baseline, too."""
    book = RateBook()
    for _ in range(5):
        ran(book, fresh_tokens=1000, prompt_s=3.0, output_tokens=100, output_s=7.0, load_s=2.344)
    ran(book, "b", output_tokens=50, output_s=1.0)
    document = book.dump("a")
    assert document == {M1: {"prefill": [333.0] * 5, "decode": [14.3] * 5, "load_s": [2.34] * 3,
                             "warm_load_s": [], "best_decode": 14.3}}  # fmt: skip

    again = RateBook()
    again.load("a", document)
    assert again.dump("a") == document
    assert again.speeds == {("a", M1): Learned(333.0, 14.3, 2.34)}
    for _ in range(3):
        ran(again, output_tokens=50, output_s=10.0)
    assert again.slow("a") == {M1: pytest.approx(5.0 / 14.3)}


def test_what_cannot_be_is_not_taken_from_the_store() -> None:
    """No rate of zero or a thousand million; another shape is an error; 64 models at most."""
    sound: dict[str, Any] = {"prefill": [0, 5.0, 1e9, -1], "decode": [], "load_s": [0.5],
                             "best_decode": 0.0}  # fmt: skip
    book = RateBook()
    book.load("a", {M1: sound})
    assert book.speeds == {("a", M1): Learned(5.0, None, 0.5)}

    with pytest.raises(KeyError):
        book.load("a", {M1: {"decode": [1.0]}})
    book.load("b", {M1: {"best_decode": 9.0}})
    assert book.speeds["b", M1] == Learned()
    with pytest.raises((TypeError, ValueError)):
        book.load("a", {M1: {**sound, "decode": ["fast"]}})
    book = RateBook()
    book.load("a", {f"m{i}": sound for i in range(70)})
    assert len(book.speeds) == 64


@pytest.mark.parametrize("best", [1e300, 1e9, -5.0, float("nan"), float("inf")])
def test_a_baseline_that_cannot_be_is_none(best: float) -> None:
    """The board is not called slow by it; it gets a new one, and with it an engine."""
    book = RateBook()
    book.load("a", {M1: {"decode": [10.0] * 5, "best_decode": best, "best_version": "0.1"}})
    assert (book.slow("a"), book.shares(), book.best_version("a", M1)) == ({}, {}, "")

    ran(book, output_tokens=10, output_s=1.0, version="0.2")
    assert book.shares() == {("a", M1): 1.0}
    assert book.best_version("a", M1) == "0.2"

    book.load("a", {M1: {"decode": [10.0] * 5, "best_decode": 9e8}})
    assert book.slow("a") == {M1: pytest.approx(0.0, abs=1e-7)}


@pytest.mark.parametrize("broken", [{}, {"best_decode": "fast"}, {"best_decode": 1.0, "decode": 1}])
def test_a_document_is_taken_whole_or_not_at_all(broken: dict[str, Any]) -> None:
    """Where its last model is of another shape, nothing of the first ones is known."""
    book = RateBook()
    ran(book, output_tokens=50, output_s=1.0)
    before = book.dump("a")

    with pytest.raises((KeyError, ValueError, TypeError)):
        book.load("a", {M1: {"decode": [5.0], "best_decode": 5.0}, "m2": broken})

    assert book.dump("a") == before
    assert book.speeds == {("a", M1): Learned(None, 50.0)}


def test_the_baseline_remembers_its_engine() -> None:
    """The version that ran when the board was at its best, over a restart too; a report without a
    version forgets nothing."""
    book = RateBook()
    for _ in range(5):
        ran(book, output_tokens=100, output_s=10.0, version="0.30.0")
    assert book.best_version("a", M1) == "0.30.0"
    for _ in range(5):
        ran(book, output_tokens=50, output_s=10.0, version="0.31.0")
    assert book.best_version("a", M1) == "0.30.0"
    assert book.shares() == {("a", M1): pytest.approx(0.5)}

    again = RateBook()
    again.load("a", book.dump("a"))
    assert again.best_version("a", M1) == "0.30.0"
    for _ in range(5):
        ran(again, output_tokens=200, output_s=10.0, version="0.32.0")
    for _ in range(5):
        ran(again, output_tokens=300, output_s=10.0)
    assert again.best_version("a", M1) == "0.32.0"
    assert again.best_version("b", M1) == ""
