"""Does a model fit on the board, in memory and on disk: the arithmetic, and its words (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orion_contracts.footprint import DEFAULT_CONTEXT, context_bytes

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Need:
    """Memory that a model takes. `measured_bytes`: what it took when it was last resident."""

    file_bytes: int
    context_length: int
    slots: int
    measured_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """What has to be free for it; 0: not known."""
        if self.measured_bytes:
            return self.measured_bytes
        return self.file_bytes + context_bytes(self.file_bytes, self.context_length, self.slots)

    def __str__(self) -> str:
        """The arithmetic."""
        if self.measured_bytes:
            return f"needs {gib(self.measured_bytes)} of memory (measured)"
        context = self.total_bytes - self.file_bytes
        return (
            f"needs {gib(self.total_bytes)} of memory (file {gib(self.file_bytes)} + "
            f"{gib(context)} for {self.context_length * self.slots} tokens of context)"
        )


def need(file_bytes: int, context_length: int | None, slots: int, measured_bytes: int = 0) -> Need:
    """The need of a model with so large a file."""
    return Need(file_bytes, context_length or DEFAULT_CONTEXT, slots, measured_bytes)


@dataclass(frozen=True, slots=True)
class Room:
    """Memory for models: what is available, less what has to stay free."""

    available_bytes: int | None
    total_bytes: int | None
    ceiling_percent: float

    @property
    def reserve_bytes(self) -> int:
        """What has to stay free."""
        return int((self.total_bytes or 0) * (1 - self.ceiling_percent / 100))

    def beside(self, resident_bytes: int) -> Room:
        """Never more than the models in memory leave: a reading may be older than the last load."""
        if self.available_bytes is None or self.total_bytes is None:
            return self
        left = self.total_bytes - resident_bytes
        return replace(self, available_bytes=max(0, min(self.available_bytes, left)))

    def holds(self, wanted: Need, freed_bytes: int = 0) -> bool:
        """Whether it fits after so much was freed; what is not known stands in nobody's way."""
        if self.available_bytes is None or not wanted.total_bytes:
            return True
        return wanted.total_bytes <= self.available_bytes - self.reserve_bytes + freed_bytes

    def refusal(self, wanted: Need) -> str:
        """Why it does not fit."""
        return (
            f"{wanted}; {gib(self.available_bytes or 0)} of {gib(self.total_bytes or 0)} are "
            f"available, {gib(self.reserve_bytes)} of them stay free "
            f"({self.ceiling_percent:g} % is the most that models may fill)"
        )


def disk_refusal(free_bytes: int | None, reserve_bytes: int, wanted_bytes: int) -> str:
    """Why `wanted_bytes` more must not be fetched; empty: they may. 0: the size is not known."""
    if free_bytes is None:
        return "the free disk space cannot be read, so nothing is fetched"
    if wanted_bytes <= free_bytes - reserve_bytes:
        return ""
    size = f"needs {gib(wanted_bytes)} more of disk; " if wanted_bytes else ""
    return f"{size}{gib(free_bytes)} of disk are free, {gib(reserve_bytes)} of them stay free"


def gib(size_bytes: int) -> str:
    """For people."""
    return f"{size_bytes / GIB:.1f} GiB"
