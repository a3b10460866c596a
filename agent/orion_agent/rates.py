"""What was measured on this board, per model: tokens per second and load time (pure).

Ollama counts cached prompt tokens in `prompt_eval_count` but not in `prompt_eval_duration`, so a
cache hit looks like a very fast prompt. A slow quantile of the last samples is therefore the rate
to plan with, and the slowest one the rate to judge a silence with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

KEPT_SAMPLES = 16
MIN_PROMPT_TOKENS = 16
MIN_OUTPUT_TOKENS = 4
DEFAULT_PREFILL_RATE = 8.0
"""Tokens per second of an 8B model on a Raspberry Pi 5: the slowest pair that is of any use."""
MEMORY_BYTES_PER_S = 9e9
"""Decoding reads the whole model once for each token."""
PREFILL_PER_DECODE = 4.0
"""On such boards a prompt is read four to six times as fast as tokens are written."""
MAX_MODELS = 64


class Rates:
    """Samples of the last requests; bounded in models and samples."""

    def __init__(self) -> None:
        self._samples: dict[str, dict[str, deque[float]]] = {}

    def learn(
        self,
        model: str,
        *,
        prompt_tokens: int = 0,
        prompt_s: float = 0.0,
        output_tokens: int = 0,
        output_s: float = 0.0,
    ) -> None:
        """Take the figures of one finished request."""
        if prompt_tokens >= MIN_PROMPT_TOKENS and prompt_s > 0:
            self._add(model, "prefill", prompt_tokens / prompt_s)
        if output_tokens >= MIN_OUTPUT_TOKENS and output_s > 0:
            self._add(model, "decode", output_tokens / output_s)

    def learn_load(self, model: str, load_s: float) -> None:
        """Take the time that a cold load took."""
        self._add(model, "load", load_s)

    def prefill_floor(self, model: str, size_bytes: int = 0) -> float:
        """Tokens per second that this model reaches at least."""
        if samples := self._of(model, "prefill"):
            return min(samples)
        if size_bytes > 0:
            return max(DEFAULT_PREFILL_RATE, PREFILL_PER_DECODE * MEMORY_BYTES_PER_S / size_bytes)
        return DEFAULT_PREFILL_RATE

    def to_wire(self) -> Mapping[str, Mapping[str, float]]:
        """For the health report: node-health.schema.json `rates`."""
        wire: dict[str, dict[str, float]] = {}
        for model, kinds in self._samples.items():
            values: dict[str, float] = {}
            if samples := kinds.get("prefill"):
                values["prefill_tokens_per_second"] = _significant(_quantile(samples, 0.25))
            if samples := kinds.get("decode"):
                values["decode_tokens_per_second"] = _significant(_quantile(samples, 0.5))
            if samples := kinds.get("load"):
                values["load_s"] = _significant(min(samples))
            wire[model] = values
        return wire

    def _of(self, model: str, kind: str) -> deque[float] | None:
        return self._samples.get(model, {}).get(kind)

    def _add(self, model: str, kind: str, value: float) -> None:
        kinds = self._samples.pop(model, None) or {}
        kinds.setdefault(kind, deque(maxlen=KEPT_SAMPLES)).append(value)
        self._samples[model] = kinds  # the latest last: the oldest is dropped first
        if len(self._samples) > MAX_MODELS:
            del self._samples[next(iter(self._samples))]


def _quantile(samples: deque[float], q: float) -> float:
    ordered = sorted(samples)
    return ordered[int(q * (len(ordered) - 1))]


def _significant(value: float) -> float:
    """Three digits: a report that says nothing new should not look new."""
    return float(f"{value:.3g}")
