"""Pieces of a streamed answer, with their wire mapping (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orion_contracts.stamp import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A published piece of a streamed answer: the tokens since the last one, in order."""

    request_id: str
    attempt: int
    seq: int
    deltas: tuple[Mapping[str, Any], ...] = field(default=())
    residency: str | None = None
    queue_ms: int | None = None
    model: str | None = None
    """In the first one, where it is not the model that was asked for."""
    fallback_from: str | None = None
    timestamp: str = ""
    source: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The JSON document."""
        wire: dict[str, Any] = {
            "version": VERSION,
            "request_id": self.request_id,
            "attempt": self.attempt,
            "seq": self.seq,
            "deltas": list(self.deltas),
            "timestamp": self.timestamp,
            "source": self.source,
        }
        if self.residency is not None:
            wire["residency"] = self.residency
        for name in ("queue_ms", "model", "fallback_from"):
            if (value := getattr(self, name)) is not None:
                wire[name] = value
        return wire
