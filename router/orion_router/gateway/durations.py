"""Ollama's durations and time stamps on the wire (the clock is only read by `stamp_now`)."""

from __future__ import annotations

import math
import re
import time
from typing import Final

from orion_contracts.errors import InvalidRequest
from orion_contracts.messages import DEFAULT_KEEP_ALIVE_S

_UNIT_S: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|)")
FOREVER_S: Final = (2**63 - 1) // 10**9
"""Go's longest duration, about 292 years: what a negative keep_alive means."""


def go_duration_s(text: str) -> float:
    """Seconds of a Go duration such as `1h30m`. Raises ValueError in Go's words."""
    if len(text) > 64:
        raise ValueError(f'time: invalid duration "{text[:16]}..."')
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    total_s, position = 0.0, 0
    while position < len(unsigned) and (part := _PART.match(unsigned, position)):
        number, unit = part.groups()
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        total_s += float(number) * _UNIT_S[unit]
        position = part.end()
    if position == 0 or position < len(unsigned):
        raise ValueError(f'time: invalid duration "{text}"')
    return -total_s if text[0] == "-" else total_s


def keep_alive_s(value: object) -> int:
    """Whole seconds to keep a model: numbers are seconds, negative is forever, fractions round up.

    Raises InvalidRequest.
    """
    if value is None:
        return DEFAULT_KEEP_ALIVE_S
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidRequest("keep_alive: give seconds or a duration such as 5m", "keep_alive")
    try:
        seconds = go_duration_s(value) if isinstance(value, str) else float(value)
    except ValueError as error:
        raise InvalidRequest(str(error), "keep_alive") from None
    if seconds < 0 or seconds >= FOREVER_S:
        return FOREVER_S
    return math.ceil(seconds)


_second: tuple[int, str] = (-1, "")


def stamp(epoch_ns: int) -> str:
    """`created_at` as Ollama writes it: UTC with nanoseconds."""
    global _second  # every piece is stamped: the calendar is asked once a second
    seconds, nanos = divmod(epoch_ns, 1_000_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{nanos:09d}Z"


def stamp_now() -> str:
    """The wall clock now, for people to read."""
    return stamp(time.time_ns())
