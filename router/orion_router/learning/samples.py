"""The last measurements of one model on one board, and what they say together (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orion_router.policy.speeds import Learned

KEPT = 16
LOADS_KEPT = 3
SHIFT_FROM = 1.25
"""Farther from the median than noise: prompts of other lengths, a warmer room."""
SHIFT_SAMPLES = 3
"""So many in a row, all beyond SHIFT_FROM, and what was before them is forgotten."""


@dataclass(slots=True)
class Samples:
    """Of one (node, model): tokens per second and seconds."""

    prefill: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))
    decode: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))
    pace: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))
    """Those of `decode` that still hold."""
    load_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=LOADS_KEPT))
    warm_load_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=LOADS_KEPT))
    best_decode: float = 0.0
    """The best median that SAMPLES_TO_JUDGE samples ever gave."""
    best_version: str = ""
    """The engine's version then; empty: not known."""

    def told(self) -> Learned:
        """What the policy reckons with."""
        return Learned(
            _slow_quartile(self.prefill) or None,
            median(self.pace) or None,
            min(self.load_s, default=None),
            min(self.warm_load_s, default=None),
        )


def read_samples(values: Mapping[str, Any]) -> Samples:
    """What was kept of one model; a figure that nothing can have is left out. A best rate out of
    reach would call the board slow for ever, for every new best is measured against it."""
    best = float(values["best_decode"])
    mine = Samples()
    if _is_possible(best):
        mine.best_decode, mine.best_version = best, str(values.get("best_version", ""))[:64]
    for name in ("prefill", "decode", "load_s", "warm_load_s"):
        getattr(mine, name).extend(float(v) for v in values.get(name, ()) if _is_possible(float(v)))
    mine.pace.extend(mine.decode)
    return mine


def has_shifted(samples: deque[float]) -> bool:
    """Whether the newest samples all say that something changed for good: as many before them say
    otherwise, at least."""
    before, last = list(samples)[:-SHIFT_SAMPLES], list(samples)[-SHIFT_SAMPLES:]
    if len(before) < SHIFT_SAMPLES:
        return False
    usual = median(before)
    return min(last) > usual * SHIFT_FROM or max(last) < usual / SHIFT_FROM


def _is_possible(figure: float) -> bool:
    return 0 < figure < 1e9


def _slow_quartile(samples: deque[float]) -> float:
    """A prompt that was cached after all looks fast, and none looks slow but on a busy board."""
    ordered = sorted(samples)
    return ordered[(len(ordered) - 1) // 4] if ordered else 0.0


def median(samples: deque[float] | list[float]) -> float:
    """Of two in the middle the smaller one; 0.0 of none."""
    if not samples:
        return 0.0
    ordered = sorted(samples)
    return ordered[(len(ordered) - 1) // 2]


def significant(value: float) -> float:
    """Three digits, for the store."""
    return float(f"{value:.3g}")
