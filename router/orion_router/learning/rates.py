"""How fast each board is with each model, and whether it became slower (pure).

A rate is the median of the last samples (of prompts, their slow quartile), so that single
outliers (a prompt that was cached after all, a board that swapped) move nothing. A load time is
the shortest of the last few: a file that is still in the page cache loads many times faster, and
stays there until other files push it out.
A board that changes (a fan, a supply, an engine) is followed after three answers: when all of them
say the same, what was before is forgotten. Each model's figures are its own measurements, always:
what one model shows is not reckoned into another, for errors would multiply.
Prompt tokens are counted as the router estimates them, so that the estimate's error cancels out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from orion_router.learning.news import News
from orion_router.learning.samples import (
    KEPT,
    SHIFT_SAMPLES,
    Samples,
    has_shifted,
    median,
    read_samples,
    significant,
)
from orion_router.policy.speeds import Learned

MIN_PROMPT_TOKENS = 16
MIN_OUTPUT_TOKENS = 4
MAX_PAIRS = 4096
SLOW_SHARE = 0.6
"""Below this share of its best sustained rate a board is not what it was (an engine's upgrade, a
dying supply): the design's canary."""
SAMPLES_TO_JUDGE = 5


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
            mine.pace.append(mine.decode[-1])
            if has_shifted(mine.pace):
                mine.pace = deque(list(mine.pace)[-SHIFT_SAMPLES:], maxlen=KEPT)
            if len(mine.decode) >= SAMPLES_TO_JUDGE:
                recent = median(list(mine.decode)[-SAMPLES_TO_JUDGE:])
                if recent > mine.best_decode:
                    mine.best_decode, mine.best_version = recent, version or mine.best_version
        if load_s > 0:
            (mine.warm_load_s if warm else mine.load_s).append(load_s)
        self._news.of(node)
        self.speeds[key] = mine.told()

    def slow(self, node: str) -> dict[str, float]:
        """Models whose rate on this board fell below SLOW_SHARE of its best, with the share."""
        shares = self.shares()
        return {m: share for (n, m), share in shares.items() if n == node and share < SLOW_SHARE}

    def shares(self) -> dict[tuple[str, str], float]:
        """Each (node, model) that can be judged: its rate of now as a share of its best."""
        return {
            key: median(list(mine.decode)[-SAMPLES_TO_JUDGE:]) / mine.best_decode
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
                "prefill": [significant(v) for v in mine.prefill],
                "decode": [significant(v) for v in mine.decode],
                "load_s": [significant(v) for v in mine.load_s],
                "warm_load_s": [significant(v) for v in mine.warm_load_s],
                "best_decode": significant(mine.best_decode),
                **({"best_version": mine.best_version} if mine.best_version else {}),
            }
            for (name, model), mine in self._pairs.items()
            if name == node
        }

    def load(self, node: str, document: Mapping[str, Any]) -> None:
        """The inverse of dump. Raises ValueError, TypeError and KeyError for another shape: then
        nothing of it was taken."""
        read = {model: read_samples(values) for model, values in list(document.items())[:64]}
        for model, mine in read.items():
            self._pairs[(node, model)] = mine
            self.learn(node, model)
