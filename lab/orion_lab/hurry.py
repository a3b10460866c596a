"""A process whose seconds are shorter: `python -m orion_lab.hurry MODULE ARGUMENTS...`.

Every clock that Python code reads runs N times faster, and whatever waits by it waits N times
shorter, so that a system of real processes lives through an hour in minutes with all its intervals,
leases and learned rates in proportion. All processes of one `Hurry` agree on the time of day. Needs
nothing but the standard library: programs of other environments can be run with this file, too.

What stays in real seconds: time limits of sockets and locks, dates from `datetime`, C libraries.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "ORION_LAB_HURRY"


@dataclass(frozen=True, slots=True)
class Hurry:
    """How fast, and since when (seconds since 1970, real time)."""

    speed: float = 1.0
    since_s: float = field(default_factory=time.time)

    @property
    def environment(self) -> Mapping[str, str]:
        """What such a process finds in its environment."""
        return {VARIABLE: f"{self.speed!r}@{self.since_s!r}"}

    @property
    def argv(self) -> tuple[str, ...]:
        """Arguments of the interpreter, before the module's name."""
        return ("-m",) if self.speed == 1.0 else ("-m", "orion_lab.hurry")

    @property
    def ahead_s(self) -> float:
        """How far its time of day is ahead of ours now."""
        return (self.speed - 1.0) * (time.time() - self.since_s)

    @classmethod
    def parse(cls, text: str) -> Hurry:
        """The inverse of `environment`."""
        speed, _, since = text.partition("@")
        return cls(float(speed), float(since))


def quicken(hurry: Hurry) -> None:
    """Change this process's clocks; once, before anything that looks at them is imported."""
    _clocks(hurry)
    _waits(hurry.speed)
    _loops(hurry.speed)


def _clocks(hurry: Hurry) -> None:
    speed, since_s, since_ns = hurry.speed, hurry.since_s, int(hurry.since_s * 1e9)
    clocks = ("time", "monotonic", "perf_counter")
    seconds: dict[str, Any] = {name: getattr(time, name) for name in clocks}
    nanos: dict[str, Any] = {name: getattr(time, f"{name}_ns") for name in clocks}
    patched: Any = time
    patched.time = lambda: since_s + speed * (seconds["time"]() - since_s)
    patched.time_ns = lambda: since_ns + int(speed * (nanos["time"]() - since_ns))
    patched.monotonic = lambda: speed * seconds["monotonic"]()
    patched.monotonic_ns = lambda: int(speed * nanos["monotonic"]())
    patched.perf_counter = lambda: speed * seconds["perf_counter"]()
    patched.perf_counter_ns = lambda: int(speed * nanos["perf_counter"]())


def _waits(speed: float) -> None:
    import selectors
    import threading

    patched: Any = time
    sleep = time.sleep

    def sleep_less(seconds: float) -> None:
        sleep(seconds / speed)

    patched.sleep = sleep_less
    condition: Any = threading.Condition
    wait = condition.wait

    def wait_less(self: Any, timeout: float | None = None) -> bool:
        return bool(wait(self, timeout if timeout is None else timeout / speed))

    condition.wait = wait_less
    setattr(threading, "_time", time.monotonic)  # noqa: B010 (its name is private)
    for name in ("EpollSelector", "PollSelector", "SelectSelector"):
        if (selector := getattr(selectors, name, None)) is not None:
            selector.select = _selecting(selector.select, speed)


def _selecting(select: Any, speed: float) -> Any:
    def select_less(self: Any, timeout: float | None = None) -> Any:
        return select(self, timeout if timeout is None else timeout / speed)

    return select_less


def _loops(speed: float) -> None:
    """asyncio's own loop reads the clock above and waits in a selector; uvloop does neither."""
    try:
        import uvloop
    except ImportError:
        return
    loop: Any = uvloop.Loop
    real_time, later = loop.time, loop.call_later

    def now(self: Any) -> float:
        return float(real_time(self)) * speed

    def call_later(self: Any, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return later(self, max(0.0, delay) / speed, callback, *args, context=context)

    def call_at(self: Any, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return call_later(self, when - now(self), callback, *args, context=context)

    loop.time, loop.call_later, loop.call_at = now, call_later, call_at


def main() -> None:
    """Run the module as `python -m` does."""
    if len(sys.argv) < 2 or VARIABLE not in os.environ:
        sys.exit(f"usage: {VARIABLE}=SPEED@SINCE python -m orion_lab.hurry MODULE ARGUMENTS...")
    quicken(Hurry.parse(os.environ[VARIABLE]))
    module = sys.argv[1]
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
