"""How fast each board is with each model, and whether it became slower (pure).

A rate is the median of the last samples (of prompts, their slow quartile), so that single
outliers (a prompt that was cached after all, a board that swapped) move nothing. A load time is
the shortest of the last few: a file that is still in the page cache loads many times faster, and
stays there until other files push it out.
Prompt tokens are counted as the router estimates them, so that the estimate's error cancels out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orion_router.learning.news import News
from orion_router.policy.speeds import Learned

KEPT = 16
LOADS_KEPT = 3
MIN_PROMPT_TOKENS = 16
MIN_OUTPUT_TOKENS = 4
MAX_PAIRS = 4096
SLOW_SHARE = 0.6
"""Below this share of its best sustained rate a board is not what it was (an engine's upgrade, a
dying supply): the design's canary."""
SAMPLES_TO_JUDGE = 5


@dataclass(slots=True)
class Samples:
    """Of one (node, model): tokens per second and seconds."""

    prefill: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))
    decode: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))
    load_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=LOADS_KEPT))
    warm_load_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=LOADS_KEPT))
    best_decode: float = 0.0
    """The best median that SAMPLES_TO_JUDGE samples ever gave."""
    best_version: str = ""
    """The engine's version then; empty: not known."""


class RateBook:
    """All boards' figures; the pair used longest ago is dropped first."""

    def __init__(self, news: News | None = None) -> None:
        self._news = news or News()
        self._pairs: dict[tuple[str, str], Samples] = {}
        self.speeds: dict[tuple[str, str], Learned] = {}
        """What the policy reckons with."""

    def learn(
        self, node: str, model: str, *, fresh_tokens: float = 0, prompt_s: float = 0.0,
        output_tokens: int = 0, output_s: float = 0.0, load_s: float = 0.0,
        warm: bool = False, derate: float = 1.0, version: str = "",
    ) -> None:  # fmt: skip
        """Take the figures of one finished request. `fresh_tokens`: of its prompt, those that were
        not cached. `warm`: the load did not touch the disk. `derate`: how much slower its heat
        made the board meanwhile. `version`: of the board's engine."""
        key = (node, model)
        mine = self._pairs.pop(key, None) or Samples()
        self._pairs[key] = mine
        if len(self._pairs) > MAX_PAIRS:
            oldest = next(iter(self._pairs))
            del self._pairs[oldest]
            self.speeds.pop(oldest, None)
            self._news.of(oldest[0])
        if fresh_tokens >= MIN_PROMPT_TOKENS and prompt_s > 0:
            mine.prefill.append(fresh_tokens / prompt_s * derate)
        if output_tokens >= MIN_OUTPUT_TOKENS and output_s > 0:
            mine.decode.append(output_tokens / output_s * derate)
            if len(mine.decode) >= SAMPLES_TO_JUDGE:
                recent = _median(list(mine.decode)[-SAMPLES_TO_JUDGE:])
                if recent > mine.best_decode:
                    mine.best_decode, mine.best_version = recent, version or mine.best_version
        if load_s > 0:
            (mine.warm_load_s if warm else mine.load_s).append(load_s)
        self._news.of(node)
        self.speeds[key] = Learned(
            _slow_quartile(mine.prefill) or None,
            _median(mine.decode) or None,
            min(mine.load_s, default=None),
            min(mine.warm_load_s, default=None),
        )

    def slow(self, node: str) -> dict[str, float]:
        """Models whose rate on this board fell below SLOW_SHARE of its best, with the share."""
        shares = self.shares()
        return {m: share for (n, m), share in shares.items() if n == node and share < SLOW_SHARE}

    def shares(self) -> dict[tuple[str, str], float]:
        """Each (node, model) that can be judged: its rate of now as a share of its best."""
        return {
            key: _median(list(mine.decode)[-SAMPLES_TO_JUDGE:]) / mine.best_decode
            for key, mine in list(self._pairs.items())
            if len(mine.decode) >= SAMPLES_TO_JUDGE and mine.best_decode
        }

    def best_version(self, node: str, model: str) -> str:
        """The version of the engine when the board was at its best; empty: not known."""
        mine = self._pairs.get((node, model))
        return mine.best_version if mine else ""

    def nodes(self) -> set[str]:
        """Boards that something is known of."""
        return {node for node, _ in self._pairs}

    def dump(self, node: str) -> dict[str, Any]:
        """One board's figures, for the store."""
        return {
            model: {
                "prefill": [_significant(v) for v in mine.prefill],
                "decode": [_significant(v) for v in mine.decode],
                "load_s": [_significant(v) for v in mine.load_s],
                "warm_load_s": [_significant(v) for v in mine.warm_load_s],
                "best_decode": _significant(mine.best_decode),
                **({"best_version": mine.best_version} if mine.best_version else {}),
            }
            for (name, model), mine in self._pairs.items()
            if name == node
        }

    def load(self, node: str, document: Mapping[str, Any]) -> None:
        """The inverse of dump. Raises ValueError, TypeError and KeyError for another shape: then
        nothing of it was taken."""
        read = {model: _samples(values) for model, values in list(document.items())[:64]}
        for model, mine in read.items():
            self._pairs[(node, model)] = mine
            self.learn(node, model)


def _samples(values: Mapping[str, Any]) -> Samples:
    """What was kept of one model; a figure that nothing can have is left out. A best rate out of
    reach would call the board slow for ever, for every new best is measured against it."""
    best = float(values["best_decode"])
    mine = Samples()
    if _is_possible(best):
        mine.best_decode, mine.best_version = best, str(values.get("best_version", ""))[:64]
    for name in ("prefill", "decode", "load_s", "warm_load_s"):
        getattr(mine, name).extend(float(v) for v in values.get(name, ()) if _is_possible(float(v)))
    return mine


def _is_possible(figure: float) -> bool:
    return 0 < figure < 1e9


def _slow_quartile(samples: deque[float]) -> float:
    """A prompt that was cached after all looks fast, and none looks slow but on a busy board."""
    ordered = sorted(samples)
    return ordered[(len(ordered) - 1) // 4] if ordered else 0.0


def _median(samples: deque[float] | list[float]) -> float:
    if not samples:
        return 0.0
    ordered = sorted(samples)
    return ordered[(len(ordered) - 1) // 2]


def _significant(value: float) -> float:
    return float(f"{value:.3g}")
