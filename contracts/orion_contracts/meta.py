"""A request's planning facts, kept apart from its body: all a planner needs, and no prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from orion_contracts.messages import InferenceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the policy knows about a queued request. Token counts are estimates."""

    model: str
    source: str = ""
    operation: str = "chat"
    priority: str = "interactive"
    session: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    deadline_ms: int | None = None
    num_ctx: int | None = None
    pin: str = ""
    output_limit: int = 0
    """The client's own bound on the answer's tokens; 0: none."""
    prefixes: tuple[tuple[str, int], ...] = ()
    """Prefixes of the prompt, shortest first: (keyed hash, tokens up to there)."""

    def to_bytes(self) -> bytes:
        """Compact JSON; fields at their default are left out."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return orjson.dumps({k: v for k, v in values.items() if v})

    @classmethod
    def from_bytes(cls, raw: bytes) -> Meta:
        """The inverse of to_bytes; fields of a newer version are ignored."""
        wire = cast(Mapping[str, Any], orjson.loads(raw))
        return cls(**{name: wire[name] for name in _FIELDS if name in wire})


_FIELDS = tuple(Meta.__dataclass_fields__)

CHARS_PER_TOKEN = 4
"""Rule of thumb for English text; only the order of magnitude matters to a plan."""
DEFAULT_OUTPUT_TOKENS = 128


def describe(request: InferenceRequest, pin: str = "") -> Meta:
    """The planning facts of a request (pure)."""
    chars = sum(len(str(m.get("content", ""))) for m in request.messages)
    options = request.options or {}
    limit = options.get("num_predict")
    num_ctx = options.get("num_ctx")
    return Meta(
        model=request.model,
        source=request.source[:128],
        operation=request.operation,
        priority=request.priority,
        session=request.session,
        input_tokens=chars // CHARS_PER_TOKEN + 1,
        output_tokens=limit if isinstance(limit, int) and limit > 0 else DEFAULT_OUTPUT_TOKENS,
        deadline_ms=request.deadline_ms,
        num_ctx=num_ctx if isinstance(num_ctx, int) else None,
        pin=pin,
    )
