"""What heat does to a board and what a request does to its heat (pure).

A small computer follows first-order heat: under load it nears the temperature that it settles at,
with a time constant of about 150 s; idle, the one that it rests at. Both are learned from the
slopes of its reports. From 80 °C to 85 °C it throttles linearly to about 0.6 of its speed.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import NamedTuple

from orion_router.fleet import Node

TAU_S = 150.0
LIMIT_C = 80.0
"""No request is begun that would drive the board beyond, where another way exists."""
THROTTLE_FROM_C = 80.0
THROTTLE_FULL_C = 85.0
THROTTLE_FLOOR = 0.6
THROTTLED = 1.25
"""At least this slow while the firmware says that it throttles or sees too low a voltage."""
NEVER_COOL_S = 150.0
"""Price of a board that would become too hot by this request even if it rested before."""


class Climate(NamedTuple):
    """Where a board's temperature goes, in °C."""

    settles_c: float
    """Under load."""
    rests_c: float
    """Idle."""


def slowdown(celsius: float) -> float:
    """Factor ≥ 1 on times per token at this temperature."""
    share = (celsius - THROTTLE_FROM_C) / (THROTTLE_FULL_C - THROTTLE_FROM_C)
    return 1.0 / (1.0 - min(1.0, max(0.0, share)) * (1.0 - THROTTLE_FLOOR))


def derate(node: Node) -> float:
    """How much slower than cool the board is now."""
    health = node.health
    if health is None:
        return 1.0
    least = THROTTLED if health.throttled or health.under_voltage else 1.0
    celsius = health.temperature_c
    return max(least, slowdown(celsius)) if celsius and celsius > THROTTLE_FROM_C else least


def headroom_s(celsius: float | None, climate: Climate | None) -> float:
    """Seconds of work until the board is at LIMIT_C; infinity where it never is, or unknown."""
    if celsius is None or climate is None or climate.settles_c <= LIMIT_C:
        return inf
    if celsius >= LIMIT_C:
        return 0.0
    return TAU_S * log((climate.settles_c - celsius) / (climate.settles_c - LIMIT_C))


def cool_s(celsius: float, climate: Climate, work_s: float) -> float:
    """Seconds of rest until so much work fits under LIMIT_C; infinity where it never does."""
    begin_c = climate.settles_c - (climate.settles_c - LIMIT_C) * exp(work_s / TAU_S)
    if celsius <= begin_c:
        return 0.0
    if begin_c <= climate.rests_c + 1.0:
        return inf
    return TAU_S * log((celsius - climate.rests_c) / (begin_c - climate.rests_c))
