"""Where a trial's data lies: `appendfsync always` means something on a disk only."""

from __future__ import annotations

from pathlib import Path


def disk_of(folder: Path) -> str:
    """The file system that holds the folder, as text.

    Raises:
        ValueError: it is in memory; says how to choose another.
    """
    where = folder.absolute()
    while not where.exists():
        where = where.parent
    where = where.resolve()
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, fs, *_ = line.split(" ")
        if (where.is_relative_to(point)) and len(point) >= len(best):
            best, kind = point, fs
    if kind in ("tmpfs", "ramfs"):
        raise ValueError(f"{where} is a {kind}: set TMPDIR or --keep to a folder on a disk")
    return kind
