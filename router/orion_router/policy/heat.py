"""How much slower a board will be by its heat (pure).

A small computer throttles linearly from 80 °C to about 0.6 of its speed at 85 °C. The temperature
is projected half a service time ahead by its slope, bounded by what a board settles at.
"""

from __future__ import annotations

from orion_router.fleet import Node

THROTTLE_FROM_C = 80.0
THROTTLE_FULL_C = 85.0
THROTTLE_FLOOR = 0.6
LOOK_AHEAD_S = 60.0
"""How far the slope is trusted: heat follows load with a time constant of two to three minutes."""
THROTTLED = 1.25
"""At least this slow while the firmware says that it throttles or sees too low a voltage."""


def derate(node: Node) -> float:
    """Factor ≥ 1 on the board's times per token."""
    health = node.health
    if health is None:
        return 1.0
    least = THROTTLED if health.throttled or health.under_voltage else 1.0
    if health.temperature_c is None:
        return least
    projected_c = health.temperature_c + max(0.0, node.slope_c_per_s) * LOOK_AHEAD_S
    share = (projected_c - THROTTLE_FROM_C) / (THROTTLE_FULL_C - THROTTLE_FROM_C)
    speed = 1.0 - min(1.0, max(0.0, share)) * (1.0 - THROTTLE_FLOOR)
    return max(least, 1.0 / speed)
