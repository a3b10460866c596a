"""Work under heat: how long it takes while the board warms up and throttles. Exact, no steps.

A board moves exponentially towards its target temperature, and its speed is a piecewise linear
function of the temperature, so the work done has a closed form in each of three regions.
"""

from math import exp, inf, log

from orion_lab import world
from orion_lab.thermal import step_c

_FROM_C, _FULL_C, _FLOOR = world.THROTTLE_FROM_C, world.THROTTLE_FULL_C, world.THROTTLE_FLOOR
_TAU_S = world.HEAT_TAU_S
_SLOPE = (1.0 - _FLOOR) / (_FULL_C - _FROM_C)


def reaches_s(start_c: float, target_c: float, bound_c: float) -> float:
    """Seconds until the temperature passes `bound_c` on its way to the target; inf if never."""
    ahead, left = start_c - target_c, bound_c - target_c
    if ahead * left <= 0.0 or abs(left) >= abs(ahead):
        return inf
    return _TAU_S * log(ahead / left)


def above_s(start_c: float, target_c: float, dt_s: float, bound_c: float = _FROM_C) -> float:
    """Seconds out of the next `dt_s` that are hotter than `bound_c`."""
    if start_c <= bound_c and target_c <= bound_c:
        return 0.0
    crossing = min(dt_s, reaches_s(start_c, target_c, bound_c))
    hot_first = start_c > bound_c or (start_c == bound_c and target_c > bound_c)
    return crossing if hot_first else dt_s - crossing


def work_takes_s(work_s: float, start_c: float, target_c: float) -> float:
    """Time for work that would take `work_s` on a cool board."""
    if (start_c <= _FROM_C and target_c <= _FROM_C) or work_s <= 0.0:
        return work_s
    elapsed, left, now_c, rising = 0.0, work_s, start_c, target_c > start_c
    while True:
        region = _region(now_c, rising)
        bound_c = _bound(region, rising)
        until = inf if bound_c is None else reaches_s(now_c, target_c, bound_c)
        takes = _inverse(left, now_c, target_c, region, until)
        if takes <= until or bound_c is None:
            return elapsed + takes
        left -= _done(until, now_c, target_c, region)
        elapsed += until
        now_c = bound_c


def after_c(start_c: float, target_c: float, dt_s: float) -> float:
    """Temperature after `dt_s`."""
    return step_c(start_c, target_c, dt_s)


def _region(now_c: float, rising: bool) -> int:
    """0 cool, 1 in between, 2 at the floor; a temperature on a bound belongs to where it goes."""
    if now_c < _FROM_C or (now_c == _FROM_C and not rising):
        return 0
    return 1 if now_c < _FULL_C or (now_c == _FULL_C and not rising) else 2


def _bound(region: int, rising: bool) -> float | None:
    if rising:
        return (_FROM_C, _FULL_C, None)[region]
    return (None, _FROM_C, _FULL_C)[region]


def _done(dt_s: float, now_c: float, target_c: float, region: int) -> float:
    if region == 0:
        return dt_s
    if region == 2:
        return dt_s * _FLOOR
    warmth = (target_c - _FROM_C) * dt_s
    warmth += (now_c - target_c) * _TAU_S * (1.0 - exp(-dt_s / _TAU_S))
    return dt_s - _SLOPE * warmth


def _inverse(work_s: float, now_c: float, target_c: float, region: int, until_s: float) -> float:
    """Time for the work if the region went on; inf as soon as it is past `until_s`."""
    if region == 0:
        return work_s
    if region == 2:
        return work_s / _FLOOR
    if until_s < inf and _done(until_s, now_c, target_c, region) < work_s:
        return inf
    dt_s = work_s
    for _ in range(50):
        here_c = step_c(now_c, target_c, dt_s)
        speed = max(_FLOOR, 1.0 - _SLOPE * (here_c - _FROM_C))
        change = (work_s - _done(dt_s, now_c, target_c, region)) / speed
        dt_s += change
        if abs(change) < 1e-9:
            break
    return min(dt_s, until_s)
