"""Ollama's notion of time on the wire: keep_alive values and RFC 3339 stamps."""

import re
import time
from datetime import UTC, datetime
from math import inf
from typing import Final

_UNIT_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
# As in Go, a unit is everything up to the next digit or point.
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")
# Go prints the largest duration, about 292 years, for "keep forever".
_FOREVER_S: Final = (2**63 - 1) / 1e9


def go_duration_s(text: str) -> float:
    """Seconds of a Go duration such as `1h30m` or `-1.5s`; a bare number other than 0 has no unit.

    Raises:
        ValueError: with the message Go's parser gives.
    """
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    total_s, position = 0.0, 0
    while part := _PART.match(unsigned, position):
        number, unit = part.groups()
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNIT_S:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total_s += float(number) * _UNIT_S[unit]
        position = part.end()
    if position == 0 or position < len(unsigned):
        raise ValueError(f'time: invalid duration "{text}"')
    return -total_s if text[0] == "-" else total_s


def keep_alive_s(value: object) -> float | None:
    """Seconds to keep a model: None if not given, infinity if negative ("forever").

    Raises:
        ValueError: not a number and not a Go duration.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"Unsupported type: '{type(value).__name__}'")
    seconds = go_duration_s(value) if isinstance(value, str) else float(value)
    return inf if seconds < 0 else seconds


def stamp(epoch_ns: int) -> str:
    """`created_at` as Ollama writes it: UTC with nanoseconds."""
    seconds, nanos = divmod(epoch_ns, 1_000_000_000)
    return f"{_second_prefix(seconds)}.{nanos:09d}Z"


_last_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def _second_prefix(seconds: int) -> str:
    # A stream stamps every token: formatting once per second instead keeps the board cheap.
    global _last_second
    if _last_second[0] != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _last_second = (seconds, text)
    return _last_second[1]


def expiry_stamp(epoch_s: float, keep_s: float) -> str:
    """`expires_at` for a model kept `keep_s` seconds from now; forever lands in the year 2318."""
    at = datetime.fromtimestamp(epoch_s + min(keep_s, _FOREVER_S), UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
