"""How many models the engine keeps in memory at once: told, or learned from what leaves (pure)."""

from __future__ import annotations

from collections.abc import Collection


class Seats:
    """`most` None: not known. `told` 0: not told."""

    def __init__(self, told: int = 0) -> None:
        self._told = told
        self.most: int | None = told or None
        self.seen = max(told, 1)

    def see(self, resident: Collection[str]) -> None:
        """These are in memory now."""
        self.seen = max(self.seen, len(resident))
        if self.most is not None and not self._told and self.seen > self.most:
            self.most = None  # the engine was started anew, with more

    def loaded(self, lasting: Collection[str], resident: Collection[str]) -> None:
        """A load has just ended. `lasting`: what was in memory before it, to stay for ever."""
        if not self._told and set(lasting) - set(resident):
            self.most = self.seen = max(len(resident), 1)
