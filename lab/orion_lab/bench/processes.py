"""CPU time, memory and writes of a process, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def parse_cpu_ms(stat: str, ticks_per_s: int = _TICKS_PER_S) -> float:
    """User plus system time from the text of /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return (int(fields[11]) + int(fields[12])) * 1000 / ticks_per_s


def cpu_ms(pid: int) -> float:
    """User plus system time that the process has taken, all threads."""
    return parse_cpu_ms((_PROC / str(pid) / "stat").read_text())


def rss_mib(pid: int) -> float:
    """Resident memory."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def write_calls(pid: int) -> int:
    """How many write system calls the process has made."""
    for line in (_PROC / str(pid) / "io").read_text().splitlines():
        if line.startswith("syscw:"):
            return int(line.split()[1])
    return 0
