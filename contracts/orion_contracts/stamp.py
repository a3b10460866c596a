"""Timestamps and sources: every message says when and from whom (version, timestamp, source)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

VERSION = "1.0"


def iso(epoch_s: float) -> str:
    """RFC 3339 in UTC with milliseconds, for a Unix time in seconds."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def iso_now() -> str:
    """The wall clock now. Only for people to read: nothing compares it."""
    return iso(time.time())
