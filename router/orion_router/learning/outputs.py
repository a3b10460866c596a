"""How long answers are, per model and class (pure): a mean that single long ones hardly move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_router.learning.news import News
from orion_router.policy.beliefs import LENGTHS, OUTPUT_TOKENS

PRIOR_WEIGHT = 2.0
MAX_WEIGHT = 50.0
CLIP = 4.0
"""A sample counts as at most so many times the mean."""
MAX_CLASSES = 256


class OutputBook:
    """A running mean with a bounded memory, beginning at the usual length."""

    def __init__(self, news: News | None = None) -> None:
        self._news = news or News()
        self._weights: dict[tuple[str, str], float] = {}
        self.means: dict[tuple[str, str], float] = {}

    def learn(self, model: str, priority: str, tokens: int) -> None:
        """Take the length of one complete answer."""
        if tokens <= 0:
            return
        self._news.of(LENGTHS)
        for key in ((model, priority), ("", "")):
            mean, weight = self.means.get(key, OUTPUT_TOKENS), self._weights.get(key, PRIOR_WEIGHT)
            weight = min(MAX_WEIGHT, weight + 1.0)
            self.means[key] = mean + (min(float(tokens), CLIP * mean) - mean) / weight
            self._weights[key] = weight
        if len(self.means) > MAX_CLASSES:
            oldest = next(key for key in self.means if key != ("", ""))
            del self.means[oldest], self._weights[oldest]

    def dump(self) -> dict[str, Any]:
        """For the store."""
        return {
            f"{priority}/{model}": [round(mean, 1), round(self._weights[model, priority], 1)]
            for (model, priority), mean in self.means.items()
        }

    def load(self, document: Mapping[str, Any]) -> None:
        """The inverse of dump. Raises ValueError and TypeError for another shape: then nothing of
        it was taken."""
        told = list(document.items())[:MAX_CLASSES]
        self._news.of(LENGTHS)
        for name, mean, weight in [(name, float(mean), float(w)) for name, (mean, w) in told]:
            priority, _, model = name.partition("/")
            if 0 < mean < 1e6 and 0 < weight <= MAX_WEIGHT:
                self.means[model, priority] = mean
                self._weights[model, priority] = weight
