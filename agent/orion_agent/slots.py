"""Who may run: the board's slots, and what is in them."""

from __future__ import annotations

import anyio


class Slots:
    """Counts what the worker holds. A dirty engine closes all slots until it answered a probe."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._held: set[str] = set()
        self._closed: set[str] = set()
        self._changed = anyio.Event()

    @property
    def running(self) -> int:
        """Entries in hand."""
        return len(self._held)

    @property
    def free(self) -> int:
        """How many more entries may be taken now."""
        return 0 if self._closed else self.capacity - len(self._held)

    @property
    def closed(self) -> bool:
        """Whether the engine is in no state to take work."""
        return bool(self._closed)

    def resize(self, capacity: int) -> None:
        """From now on so many; what is in hand goes on."""
        if capacity != self.capacity:
            self.capacity = capacity
            self._ring()

    def holds(self, entry: str) -> bool:
        """Whether this entry is in hand already."""
        return entry in self._held

    def take(self, entry: str) -> None:
        """Put an entry into a slot."""
        self._held.add(entry)

    def give_back(self, entry: str) -> None:
        """Empty the entry's slot."""
        self._held.discard(entry)
        self._ring()

    def close(self, reason: str) -> None:
        """Take nothing new until `open(reason)`."""
        self._closed.add(reason)

    def open(self, reason: str) -> None:
        """Undo `close(reason)`."""
        self._closed.discard(reason)
        self._ring()

    async def wait_free(self) -> None:
        """Until something may be taken."""
        while self.free <= 0:
            await self._changed.wait()

    async def wait_empty(self) -> None:
        """Until nothing is in hand."""
        while self._held:
            await self._changed.wait()

    def _ring(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
