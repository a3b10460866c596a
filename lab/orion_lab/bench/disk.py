"""Where the store's data lies: a file in memory would make every fsync free."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


SYNCS, RECORD_BYTES = 200, 2048


class NoDisk(RuntimeError):
    """No directory on a real disk."""


def kind_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, from the text of /proc/self/mounts."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, where, found, *_ = line.split()
        where = where.replace("\\040", " ")
        inside = where == "/" or str(path) == where or str(path).startswith(where + "/")
        if inside and len(where) >= len(best):  # of two on one place the later one is seen
            best, kind = where, found
    return kind


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`."""
    return kind_of(path.resolve(), Path("/proc/self/mounts").read_text())


def choose(asked: Path | None, candidates: Iterable[Path] | None = None) -> Path:
    """A directory on a real disk; the caller makes its own folder there.

    Raises:
        NoDisk: the one that was asked for, or every candidate, lies in memory.
    """
    if asked is not None:
        if (kind := file_system(asked)) in IN_MEMORY:
            raise NoDisk(f"{asked} is {kind}: name a directory on a disk with --data-dir")
        return asked
    usual = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd())
    for path in candidates or usual:
        if path.is_dir() and os.access(path, os.W_OK) and file_system(path) not in IN_MEMORY:
            return path
    raise NoDisk("every usual place lies in memory: name a directory on a disk with --data-dir")


def sync_ms(directory: Path) -> list[float]:
    """How long this disk takes to make a small appended record durable, as the store does it."""
    took_ms: list[float] = []
    with tempfile.NamedTemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(SYNCS):
            file.write(b"x" * RECORD_BYTES)
            began_s = time.monotonic()
            os.fdatasync(file.fileno())
            took_ms.append((time.monotonic() - began_s) * 1000)
            time.sleep(0.002)
    return took_ms
