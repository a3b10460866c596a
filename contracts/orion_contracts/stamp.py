"""Timestamps and sources: every message says when and from whom (version, timestamp, source)."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from functools import lru_cache

VERSION = "1.0"


@lru_cache(maxsize=2)
def _second(epoch_s: int) -> str:
    """All but the fraction: the costly part, which is the same for a second."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%S}"


def iso(epoch_s: float) -> str:
    """RFC 3339 in UTC with milliseconds, for a Unix time in seconds."""
    milliseconds = math.floor(epoch_s * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


def iso_now() -> str:
    """The wall clock now. Only for people to read: nothing compares it."""
    return iso(time.time())
