"""What people who wait are told: numbers only where there are some."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from builders.fleets import health, node
from orion_contracts.config import Thresholds
from orion_router import estimates
from orion_router.estimates import Standing
from orion_router.policy import Beliefs, Prospect
from orion_router.policy.speeds import Learned
from orion_router.sighting import observe


def test_a_request_that_no_board_may_take_has_a_place_and_no_time() -> None:
    """Infinity is no number to show to anybody."""
    assert estimates.standing(Prospect(2, "a", 4.2)) == Standing(2, "a", 4.2)
    assert estimates.standing(Prospect(2, "", inf)) == Standing(2, "", None)


@pytest.mark.parametrize(
    ("wait_s", "header"), [(0.0, 1), (3.2, 4), (600.0, 600), (1e9, 600), (inf, 5)]
)
def test_retry_after_is_between_a_second_and_ten_minutes(wait_s: float, header: int) -> None:
    """Rounded up; five seconds where nothing is known."""
    assert estimates.retry_after_s(wait_s) == header


def test_a_place_is_free_when_the_first_one_begins() -> None:
    """Whichever that is; never, where no board may take any."""
    plan = [Prospect(0, "a", 9.0), Prospect(1, "b", 4.0), Prospect(2, "", inf)]

    assert estimates.place_free_s(plan) == 4.0
    assert estimates.place_free_s(plan[2:]) == inf
    assert estimates.longest_s(plan) == 9.0
    assert estimates.longest_s(plan[2:]) == 0.0


def test_a_hot_board_comes_back_as_fast_as_it_cools() -> None:
    """8 °C above the return at 0.5 °C/s: 16 s. One that gets warmer, or is also full, does not."""
    limits = Thresholds()
    hot = node("a", temperature_c=78.0)
    cooling = replace(hot, slope_c_per_s=-0.5)
    full = observe(
        None, "b", health("b", temperature_c=78.0, memory_available_bytes=0), True, False,
        frozenset(), 0.0, limits,
    )  # fmt: skip

    assert estimates.board_back_s([cooling], limits) == 16.0
    assert estimates.board_back_s([replace(hot, slope_c_per_s=0.1)], limits) == inf
    assert estimates.board_back_s([replace(full, slope_c_per_s=-0.5)], limits) == inf
    assert estimates.board_back_s([], limits) == inf


def test_a_speed_is_measured_when_it_was_learned_or_reported() -> None:
    """A file's size alone is a rule of thumb."""
    bare = node("a")
    rates = {"m1:latest": {"decode_tokens_per_second": 7.0}}
    reporting = node("a", rates=rates)
    learned = Beliefs(speeds={("a", "m1:latest"): Learned(decode_tokens_per_s=7.0)})

    assert not estimates.is_measured(bare, "m1:latest", Beliefs())
    assert estimates.is_measured(reporting, "m1:latest", Beliefs())
    assert estimates.is_measured(bare, "m1:latest", learned)
