"""Requests and answers as frozen dataclasses, with their wire mappings.

The schemas in `schemas/` are the source of truth; `from_wire` takes what passed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from orion_contracts import keys
from orion_contracts.stamp import VERSION

Operation = Literal["chat", "generate", "embed"]
Priority = Literal["interactive", "batch"]
Status = Literal["completed", "failed", "expired", "cancelled", "rejected"]
PRIORITY_CLASS: Mapping[str, int] = {"interactive": 0, "batch": 1}
DEFAULT_KEEP_ALIVE_S = 600
MAX_WHOLE = 2**31 - 1
"""What every engine can count: in seconds 68 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """What a caller asks. `messages` are wire mappings (role, content, ...)."""

    request_id: str
    model: str
    messages: tuple[Mapping[str, Any], ...]
    timestamp: str
    source: str
    keep_alive_seconds: int = DEFAULT_KEEP_ALIVE_S
    callback: str = ""
    operation: Operation = "chat"
    stream: bool = False
    priority: Priority = "interactive"
    deadline_ms: int | None = None
    session: str = ""
    options: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None
    format: Any = None
    think: bool | str | None = None
    generate: Mapping[str, Any] | None = None
    allow_fallback: bool = False
    """Whether a smaller model may answer, as the configuration orders them."""
    max_wait_ms: int | None = None
    """For how long it may be expected to wait for a board."""
    answer_as: str = ""
    """The alias that the client used, if it did. Ours to write, like the next one."""
    fallback_from: str = ""
    """The model that the client asked for, where another one answers."""

    @property
    def called(self) -> str:
        """The model's name as its answer bears it."""
        return self.answer_as or self.model

    @property
    def reply_stream(self) -> str:
        """Where the answer goes: the callback, or the stream that we name."""
        return self.callback or keys.responses(self.request_id)

    def to_wire(self) -> dict[str, Any]:
        """The JSON document; fields at their default are left out."""
        wire: dict[str, Any] = {
            "version": VERSION,
            "request_id": self.request_id,
            "model": self.model,
            "messages": list(self.messages),
            "timestamp": self.timestamp,
            "source": self.source,
            "keep_alive_seconds": self.keep_alive_seconds,
        }
        if self.callback:
            wire["callback"] = self.callback
        if self.operation != "chat":
            wire["operation"] = self.operation
        if self.stream:
            wire["stream"] = True
        if self.priority != "interactive":
            wire["priority"] = self.priority
        if self.allow_fallback:
            wire["allow_fallback"] = True
        for name in ("session", "answer_as", "fallback_from"):
            if value := getattr(self, name):
                wire[name] = value
        for name in (
            "deadline_ms",
            "max_wait_ms",
            "options",
            "tools",
            "format",
            "think",
            "generate",
        ):
            value = getattr(self, name)
            if value is not None:
                wire[name] = list(value) if name == "tools" else value
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> InferenceRequest:
        """Build from a document that passed the schema; unknown fields are ignored."""
        known = {name: wire[name] for name in _REQUEST_FIELDS if name in wire}
        known["messages"] = tuple(known["messages"])
        if "tools" in known:
            known["tools"] = tuple(known["tools"])
        for name in (
            "keep_alive_seconds",
            "deadline_ms",
            "max_wait_ms",
        ):  # 600.0 and 1e30 are integers in JSON
            if known.get(name) is not None:
                known[name] = min(int(known[name]), MAX_WHOLE)
        return cls(**known)

    @classmethod
    def unknown_fields(cls, wire: Mapping[str, Any]) -> tuple[str, ...]:
        """Top-level fields that we ignore (and count)."""
        return tuple(sorted(set(wire) - _REQUEST_FIELDS - {"version"}))


_WHERE_KNOWN = ("deadline_ms", "max_wait_ms", "options", "tools", "format", "think", "generate")
_WHOLE = ("keep_alive_seconds", "deadline_ms", "max_wait_ms")
_REQUEST_FIELDS = frozenset(InferenceRequest.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResponse:
    """The final: the one answer to a request. Durations in ms, as the name says."""

    request_id: str
    model: str
    timestamp: str
    source: str
    status: Status = "completed"
    response: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    load_duration_ms: int | None = None
    total_duration_ms: int | None = None
    error: str | None = None
    error_code: str | None = None
    error_status: int | None = None
    node: str | None = None
    attempt: int | None = None
    finish_reason: str | None = None
    queue_ms: int | None = None
    time_to_first_token_ms: int | None = None
    tokens_per_second: float | None = None
    joules: float | None = None
    """What this attempt took beyond idling (docs/adr/0010-energy.md)."""
    joules_source: Literal["measured", "modelled"] | None = None
    residency: str | None = None
    thinking: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] | None = None
    context: tuple[int, ...] | None = None
    prompt_eval_duration_ms: float | None = None
    eval_duration_ms: float | None = None
    retry_after_ms: int | None = None
    fallback_from: str | None = None
    """The model that was asked for, where `model` is another one."""

    def to_wire(self) -> dict[str, Any]:
        """The JSON document; unknown values are left out."""
        wire: dict[str, Any] = {"version": VERSION}
        for name in _RESPONSE_FIELDS:
            value = getattr(self, name)
            if value is not None:
                wire[name] = value
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> InferenceResponse:
        """Build from a document that passed the schema; unknown fields are ignored."""
        known: dict[str, Any] = {name: wire[name] for name in _RESPONSE_FIELDS if name in wire}
        for name in ("tool_calls", "context"):
            if name in known:
                known[name] = tuple(cast(list[Any], known[name]))
        return cls(**known)


_RESPONSE_FIELDS = tuple(InferenceResponse.__dataclass_fields__)
