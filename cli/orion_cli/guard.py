"""Ends what it watches when its input ends: however `orion up` dies, nothing stays.

Reads `+PID` and `-PID` lines. Run as a file of its own, without site packages, so that it starts
at once; it imports nothing of ours.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_S = 3.0


def is_there(pid: int) -> bool:
    """Whether a process group of that number exists."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    return True


def end(pids: set[int]) -> None:
    """SIGTERM to each group, SIGKILL to those that stay."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(map(is_there, pids)):
        time.sleep(0.05)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Listen until the other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of its input ends it
    watched: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+") and pid > 1:  # 0 and 1 would be this group, and everybody
            watched.add(pid)
        else:
            watched.discard(pid)
    end(watched)


if __name__ == "__main__":
    main()
