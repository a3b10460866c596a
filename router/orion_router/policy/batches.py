"""What is planned on a board: requests that run without a load between them, and where one goes."""

from __future__ import annotations

from typing import NamedTuple

from orion_router.policy.values import Waiting


class Batch:
    """Requests that run without a load between them. Times are seconds from now."""

    __slots__ = ("items", "load_s", "locked", "models", "tail_s")

    def __init__(self, models: frozenset[str], tail_s: float, load_s: float) -> None:
        self.models = models
        self.tail_s = tail_s
        self.load_s = load_s
        self.items: list[tuple[Waiting, float, float, bool]] = []
        """Request, seconds until it begins as it was planned, seconds of work, and whether the
        board is cool enough for it."""
        self.locked = False


class Place(NamedTuple):
    """Where a request would go on a lane: batch, seconds until it begins, its load. A plan makes
    thousands, by `tuple.__new__`: that takes half the time."""

    batch: int
    begin_s: float
    load_s: float
