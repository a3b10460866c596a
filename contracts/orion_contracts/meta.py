"""A request's planning facts, kept apart from its body: all a planner needs, and no prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from orion_contracts.messages import MAX_WHOLE, InferenceRequest
from orion_contracts.prefixes import Prefix, outline

MOST_BYTES = 1023
"""A queue of hundreds is read whole: facts that would be longer leave prefixes out, from the
second on: the first is shared most, and the last ones reach furthest."""
DEFAULT_OUTPUT_TOKENS = 128


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
    """What to reckon with where nothing was learned: the limit, or a default."""
    output_limit: int = 0
    """The most that the client lets the engine write; 0: it gave no limit. Embeddings: 1, the least
    that can be said of what writes nothing."""
    deadline_ms: int | None = None
    num_ctx: int | None = None
    pin: str = ""
    prefixes: tuple[Prefix, ...] = ()
    """Hashes of the prompt's beginnings, shortest first; empty where there is nothing to share."""

    def to_bytes(self) -> bytes:
        """Compact JSON; fields at their default are left out."""
        values = {name: getattr(self, name) for name in _FIELDS}
        wire = {k: v for k, v in values.items() if v}
        if self.prefixes:
            wire["prefixes"] = [list(prefix) for prefix in self.prefixes]
        raw = orjson.dumps(wire)
        while len(raw) > MOST_BYTES and wire.get("prefixes"):
            wire["prefixes"].pop(min(1, len(wire["prefixes"]) - 1))
            raw = orjson.dumps(wire)
        return raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> Meta:
        """The inverse of to_bytes; fields of a newer version are ignored."""
        wire = cast(Mapping[str, Any], orjson.loads(raw))
        known = {name: wire[name] for name in _FIELDS if name in wire}
        if "prefixes" in known:
            known["prefixes"] = tuple(Prefix(str(d), int(n)) for d, n in known["prefixes"])
        return cls(**known)


_FIELDS = tuple(Meta.__dataclass_fields__)


def describe(
    request: InferenceRequest, pin: str = "", *, key: bytes = b"", body_bytes: int = 0
) -> Meta:
    """The planning facts of a request (pure). `key`: of this installation's prefixes, none
    without it; `body_bytes`: the request's length on the wire, where it is known."""
    options = request.options or {}
    limit, num_ctx = _whole(options.get("num_predict")), options.get("num_ctx")
    tokens, prefixes = outline(request, key, body_bytes)
    return Meta(
        model=request.model,
        source=request.source[:128],
        operation=request.operation,
        priority=request.priority,
        session=request.session,
        input_tokens=tokens,
        output_tokens=limit or DEFAULT_OUTPUT_TOKENS,
        output_limit=1 if request.operation == "embed" else limit,
        deadline_ms=request.deadline_ms,
        num_ctx=_whole(num_ctx) or None,
        pin=pin,
        prefixes=prefixes,
    )


def _whole(value: object) -> int:
    """A limit, or 0: options are the engine's to judge."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    sound = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return min(cast(int, value), MAX_WHOLE) if sound else 0
