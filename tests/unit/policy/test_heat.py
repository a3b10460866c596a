"""What heat does to a board, and what a request does to its heat."""

from __future__ import annotations

from math import inf, log

import pytest

from builders.fleets import node
from orion_router.fleet import Node
from orion_router.policy.heat import Climate, cool_s, derate, headroom_s, slowdown

WARM = Climate(100.0, 40.0)
"""Under load it nears 100 °C: from 60 °C it is at 80 °C after 150 s x ln 2."""
HALF_S = 150.0 * log(2.0)


@pytest.mark.parametrize(
    ("celsius", "factor"),
    [(20.0, 1.0), (80.0, 1.0), (82.5, 1.25), (85.0, 1 / 0.6), (99.0, 1 / 0.6)],
)
def test_a_board_throttles_from_80_to_85_degrees(celsius: float, factor: float) -> None:
    """Linearly down to 0.6 of its speed."""
    assert slowdown(celsius) == pytest.approx(factor)


def test_a_board_is_as_slow_as_its_worst_sign() -> None:
    """The firmware's word means at least 1.25; a temperature may say more; nothing says nothing."""
    assert derate(node("a")) == 1.0
    assert derate(node("a", throttled=True)) == 1.25
    assert derate(node("a", under_voltage=True)) == 1.25
    assert derate(node("a", throttled=False, under_voltage=False)) == 1.0
    assert derate(node("a", throttled=True, temperature_c=85.0)) == pytest.approx(1 / 0.6)
    assert derate(node("a", temperature_c=82.5)) == pytest.approx(1.25)
    assert derate(node("a", temperature_c=None)) == 1.0
    assert derate(node("a", temperature_c=None, throttled=True)) == 1.25
    assert derate(Node("a", None, True)) == 1.0


def test_headroom_is_the_time_to_80_degrees() -> None:
    """By first-order heat; none above, endless where load never brings it there or nothing is
    known."""
    assert headroom_s(60.0, WARM) == pytest.approx(HALF_S)
    assert headroom_s(79.99, WARM) == pytest.approx(150.0 * log(20.01 / 20.0))
    assert headroom_s(80.0, WARM) == 0.0
    assert headroom_s(90.0, WARM) == 0.0
    assert headroom_s(60.0, Climate(80.0, 40.0)) == inf
    assert headroom_s(60.0, Climate(80.1, 40.0)) == pytest.approx(150.0 * log(20.1 / 0.1))
    assert headroom_s(None, WARM) == inf
    assert headroom_s(60.0, None) == inf


def test_a_board_rests_until_the_work_fits() -> None:
    """So much work has to begin at 60 °C: from 70 °C it cools for 150 s x ln(30/20)."""
    assert cool_s(60.0, WARM, HALF_S - 0.001) == 0.0
    assert cool_s(70.0, WARM, HALF_S) == pytest.approx(150.0 * log(30.0 / 20.0))
    assert cool_s(80.0, WARM, HALF_S) == pytest.approx(150.0 * log(40.0 / 20.0))


def test_work_that_never_fits_waits_for_ever() -> None:
    """It would have to begin no warmer than 1 °C above the temperature at rest."""
    begins_at_41_2 = 150.0 * log(58.8 / 20.0)
    begins_at_40_9 = 150.0 * log(59.1 / 20.0)

    assert cool_s(70.0, WARM, begins_at_41_2) == pytest.approx(150.0 * log(30.0 / 1.2))
    assert cool_s(70.0, WARM, begins_at_40_9) == inf
    assert cool_s(40.5, WARM, begins_at_40_9) == 0.0


def test_headroom_and_rest_agree() -> None:
    """Work as long as the headroom begins at once; a second more needs rest."""
    room_s = headroom_s(65.0, WARM)

    assert cool_s(65.0, WARM, room_s) == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < cool_s(65.0, WARM, room_s + 1.0) < 5.0
