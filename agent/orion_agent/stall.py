"""How long an engine may be silent before it counts as hung (pure).

The lease of a request is renewed only within this budget, so a hung engine loses its lease by
construction, whatever else still works on the board.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LOAD_S = 15 * 60.0
LOAD_FIXED_S = 30.0
SLOWEST_STORAGE_BYTES_PER_S = 20e6
"""A worn SD card: a third of what a good one reads."""
PREFILL_FACTOR = 3.0


def load_budget_s(size_bytes: int, learned_s: float = 0.0) -> float:
    """Seconds that a cold load may take; 15 minutes when the size is not known."""
    if size_bytes <= 0:
        return DEFAULT_LOAD_S
    return max(LOAD_FIXED_S + size_bytes / SLOWEST_STORAGE_BYTES_PER_S, 3 * learned_s)


def prefill_budget_s(base_s: float, input_tokens: int, rate: float) -> float:
    """Seconds from sending a prompt to its first token, the model being resident."""
    return base_s + PREFILL_FACTOR * input_tokens / rate


@dataclass(slots=True)
class Silence:
    """Time since the engine last showed progress, against what it may take."""

    since_s: float
    allowed_s: float

    def expect(self, now_s: float, allowed_s: float) -> None:
        """Something was heard or asked: from now on, `allowed_s` of silence are fine."""
        self.since_s = now_s
        self.allowed_s = allowed_s

    def left_s(self, now_s: float) -> float:
        """Seconds of silence left; none when negative."""
        return self.since_s + self.allowed_s - now_s
