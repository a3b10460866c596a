"""Whether something was learned since, per board: so that who keeps what follows from it need not
compare the figures (pure).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from orion_router.policy.beliefs import LENGTHS


class News:
    """Each time that something is learned has a number of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.latest: dict[str, int] = {}
        """Per board, the last time."""

    def of(self, board: str) -> None:
        """Something was learned of this board."""
        self.latest[board] = next(self._numbers)

    def forget(self, present: Collection[str]) -> None:
        """Boards that are no more: nobody keeps anything of them."""
        for name in [each for each in self.latest if each not in present and each != LENGTHS]:
            del self.latest[name]
