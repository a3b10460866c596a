"""A board's memory: what is used, what fits, and which files the page cache still holds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from orion_lab import world
from orion_lab.boards import BoardSpec


def used_bytes(resident_bytes: int) -> int:
    """Memory in use; the page cache is reclaimable and therefore does not count."""
    return world.SYSTEM_BYTES + resident_bytes


def fits(board: BoardSpec, resident_bytes: int) -> bool:
    """Whether the kernel lets these models live together; if not, it kills one."""
    return used_bytes(resident_bytes) <= board.ram_bytes


@dataclass(frozen=True, slots=True)
class PageCache:
    """Files kept in otherwise free memory, least recently read first."""

    files: tuple[tuple[str, int], ...] = ()

    def holds(self, digest: str) -> bool:
        """Whether a load of this file would not touch the disk."""
        return any(name == digest for name, _ in self.files)

    def after_read(self, digest: str, size_bytes: int, room_bytes: int) -> "PageCache":
        """The cache after this file was read, with `room_bytes` of memory left for caching."""
        kept = [entry for entry in self.files if entry[0] != digest]
        kept.append((digest, size_bytes))
        while kept and sum(size for _, size in kept) > room_bytes:
            kept.pop(0)
        return PageCache(tuple(kept))


def cache_room_bytes(board: BoardSpec, resident_bytes: int) -> int:
    """Memory left for the page cache."""
    return max(0, board.ram_bytes - used_bytes(resident_bytes))


def meminfo(board: BoardSpec, used: int, cached: int) -> str:
    """The text of `/proc/meminfo` for these figures, as far as anyone reads it."""
    available = max(0, board.ram_bytes - used)
    cached = min(cached, available)
    rows: Mapping[str, int] = {
        "MemTotal": board.ram_bytes,
        "MemFree": available - cached,
        "MemAvailable": available,
        "Buffers": 0,
        "Cached": cached,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{key + ':':<16}{value // 1024:>8} kB\n" for key, value in rows.items())
