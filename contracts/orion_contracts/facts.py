"""What one finished run measured: small enough to travel with the doorbell (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

MOST_BYTES = 300
"""A run's facts are always shorter: the doorbell keeps about a thousand of them."""
MOST_TOKENS = 10**8
MOST_S = 10.0**6
_MODEL_CHARS = 120
_REASON_CHARS = 12

Residency = Literal["warm", "cold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One run by the engine's own figures. Durations in seconds.

    `prompt_tokens` counts the whole prompt, also what was cached; `prompt_s` is only what reading
    the rest of it took. `load_s` is what this request waited for its model, the worker's wait and
    the engine's together. `reason`: why the answer ended (`stop`, `length`: cut by its limit).
    """

    model: str = ""
    """Empty where its name is longer than 120 characters."""
    prompt_tokens: int = 0
    prompt_s: float = 0.0
    output_tokens: int = 0
    output_s: float = 0.0
    load_s: float = 0.0
    residency: Residency = "warm"
    reason: str = ""

    def to_bytes(self) -> bytes:
        """Compact JSON, fields at their default left out, shorter than MOST_BYTES."""
        wire: dict[str, object] = {}
        if 0 < len(self.model) <= _MODEL_CHARS and self.model.isascii():
            wire["model"] = self.model
        for name in ("prompt_tokens", "output_tokens"):
            if value := _count(getattr(self, name)):
                wire[name] = value
        for name in ("prompt_s", "output_s", "load_s"):
            if seconds := _seconds(getattr(self, name)):
                wire[name] = seconds
        if self.residency != "warm":
            wire["residency"] = self.residency
        if self.reason.isascii() and self.reason.isalnum():
            wire["reason"] = self.reason[:_REASON_CHARS]
        return orjson.dumps(wire)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Facts | None:
        """The inverse of to_bytes; None for bytes that are no facts. What one field holds that
        cannot be, counts as its default: outsiders can write to the doorbell."""
        if not raw or len(raw) > MOST_BYTES:
            return None
        try:
            wire: object = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(wire, dict):
            return None
        known = cast(dict[str, Any], wire)
        model, reason = known.get("model"), known.get("reason")
        return cls(
            model=model if isinstance(model, str) else "",
            prompt_tokens=_count(known.get("prompt_tokens")),
            prompt_s=_seconds(known.get("prompt_s")),
            output_tokens=_count(known.get("output_tokens")),
            output_s=_seconds(known.get("output_s")),
            load_s=_seconds(known.get("load_s")),
            residency="cold" if known.get("residency") == "cold" else "warm",
            reason=reason if isinstance(reason, str) else "",
        )


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), MOST_TOKENS)


def _seconds(value: object) -> float:
    """To the millisecond; 0.0 for what is no duration."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return 0.0
    return round(min(max(float(value), 0.0), MOST_S), 3)
