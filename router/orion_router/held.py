"""What a board holds of one request, as the planner knows it (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from orion_contracts.meta import Meta


@dataclass(frozen=True, slots=True)
class Held:
    """A request that was given to a board, or that a board took by itself."""

    model: str
    """Empty where its facts cannot be read."""
    meta: Meta | None
    since_s: float
    """When this planner first knew that the board has it (its own monotonic clock)."""
    attempt: int = 0
    """0: not read yet."""

    @classmethod
    def of(cls, meta: Meta | None, now_s: float, attempt: int = 0) -> Held:
        """From the request's planning facts."""
        return cls(meta.model if meta else "", meta, now_s, attempt)

    def updated(self, news: Held) -> Held:
        """The same board has it still: what is new, and since when it was known. A higher attempt
        than the known one begins anew."""
        if self.attempt and news.attempt > self.attempt:
            return news
        meta = news.meta or self.meta
        return Held(news.model or self.model, meta, self.since_s, max(self.attempt, news.attempt))
