"""How fast a board is with a model."""

from __future__ import annotations

from math import inf, nan

from builders.worlds import about
from orion_router.policy.speeds import NOTHING, Learned, Speed, reported, speed


def test_rules_of_thumb_until_something_is_known() -> None:
    """2 GB: 9 GB/s over the file is 4.5 tokens a second, prompts seven times that; 72 MB/s."""
    found = speed(2_000_000_000, None)

    assert found == Speed(about(1 / 31.5), about(1 / 4.5), about(0.5 + 2000 / 72))


def test_storage_that_somebody_told_of_is_reckoned_with() -> None:
    """400 MB/s from an SSD: 5 s and the fixed half second."""
    assert speed(2_000_000_000, 400e6).load_s == about(5.5)


def test_a_file_of_unknown_size_counts_as_1_gb() -> None:
    """Neither infinitely fast nor impossible."""
    assert speed(0, None) == speed(1_000_000_000, None)


def test_the_first_figure_that_is_known_counts() -> None:
    """Learned before reported before the rule, each figure by itself."""
    learned = Learned(decode_tokens_per_s=10.0)
    board = Learned(prefill_tokens_per_s=50.0, decode_tokens_per_s=5.0, load_s=3.0)

    assert speed(0, None, learned, board) == Speed(0.02, 0.1, 3.0)
    assert speed(0, None, NOTHING, board) == Speed(0.02, 0.2, 3.0)
    assert speed(0, None, learned) == Speed(about(1 / 70), 0.1, about(0.5 + 1000 / 72))


def test_figures_that_cannot_be_are_passed_over() -> None:
    """No rate is zero or less, or next to it; a load that took no time was none."""
    assert speed(0, None, Learned(0.0, -1.0, 0.0)) == speed(0, None)
    assert speed(0, None, Learned(1e-320, inf, 1e300)) == speed(0, None)
    assert speed(0, None, Learned(nan, 1e-6, 1e9)) == speed(0, None)


def test_a_file_in_the_page_cache_loads_at_the_speed_of_memory() -> None:
    """4 GB/s whatever the storage, until such a load was measured; the others say nothing of it."""
    cold = Learned(load_s=30.0)

    assert speed(2_000_000_000, 72e6, cold, warm=True).load_s == about(1.0)
    assert speed(2_000_000_000, 72e6, cold).load_s == 30.0
    assert speed(0, None, Learned(load_s=30.0, warm_load_s=2.0), warm=True).load_s == 2.0


def test_a_board_reports_figures_for_each_model() -> None:
    """None, another model, or some of the figures."""
    rates = {"m1": {"prefill_tokens_per_second": 9.0, "load_s": 2.0},
             "m2": {"decode_tokens_per_second": 4.0}}  # fmt: skip

    assert reported(None, "m1") == NOTHING
    assert reported({}, "m1") == NOTHING
    assert reported(rates, "m3") == NOTHING
    assert reported(rates, "m1") == Learned(9.0, None, 2.0)
    assert reported(rates, "m2") == Learned(None, 4.0, None)


def test_reported_figures_that_cannot_be_were_not_seen() -> None:
    """Or a request would be refused for what no board can do."""
    rates = {"m1": {"prefill_tokens_per_second": 1e-320, "decode_tokens_per_second": 1e300,
                    "load_s": inf}}  # fmt: skip

    assert reported(rates, "m1") == NOTHING
