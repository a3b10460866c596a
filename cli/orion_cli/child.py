"""What the supervisor needs of a process, and what is said about one that failed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Protocol

TAIL_LINES = 8
TAIL_BYTES = 65536


class ChildFailed(Exception):
    """A process did not come up; the text quotes the end of its log."""


class Child(Protocol):
    """What the supervisor needs of a process."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    @property
    def log(self) -> Path:
        """The file it writes to."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        ...

    async def start(self) -> None:
        """Return when it is ready; ChildFailed when it does not get there."""
        ...

    async def wait(self) -> int:
        """Return its exit status when it has ended (at once if it does not run)."""
        ...

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        ...

    def kill(self) -> None:
        """SIGKILL, now."""
        ...


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented to be shown below a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            said = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        said = []
    return "\n".join(f"    {line}" for line in said) or "    (it said nothing)"


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
