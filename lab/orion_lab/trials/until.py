"""Waiting on a condition with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    condition: Callable[[], bool], within_s: float, what: str, pause_s: float = 0.02
) -> float:
    """Wait until `condition` holds; the seconds it took.

    Raises:
        TimeoutError: it did not; names `what`.
    """
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > within_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(pause_s)
    return time.monotonic() - began_s
