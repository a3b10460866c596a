"""A caller's wish in our words, whatever protocol it came in; and how its answer is spelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from orion_contracts.errors import InvalidRequest
from orion_contracts.messages import DEFAULT_KEEP_ALIVE_S, Operation
from orion_router.gateway.faults import Fault

EMPTY_PROMPT = ({"role": "user", "content": ""},)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked for; becomes an InferenceRequest when it gets its id."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    operation: Operation = "chat"
    stream: bool = False
    keep_alive_seconds: int = DEFAULT_KEEP_ALIVE_S
    options: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None
    format: Any = None
    think: bool | str | None = None
    generate: Mapping[str, Any] | None = None
    dimensions: int | None = None
    """Of each embedding; the rest is cut off here, as Ollama does it."""
    load_only: bool = False
    """Nothing is to be generated: the model is loaded or unloaded."""


class Shape(Protocol):
    """Spells one answer in one protocol."""

    stream_type: bytes
    """Content type of a stream."""
    whole_type: bytes
    """Content type of a whole answer."""
    keep_alive: bytes
    """Sent while nothing happens; empty where the protocol has no such thing."""

    def answered_by(self, model: str) -> None:
        """Another model answers than the one that was asked for; told before the first piece."""
        ...

    def pieces(self, deltas: Sequence[Mapping[str, Any]]) -> bytes:
        """One line or event for each delta."""
        ...

    def end(self, final: Mapping[str, Any], called_tools: bool, facts: bytes) -> bytes:
        """The end of a complete stream. `facts`: said in a comment, where there are comments."""
        ...

    def broken(self, fault: Fault) -> bytes:
        """An error after the first token."""
        ...

    def whole(self, final: Mapping[str, Any]) -> bytes:
        """The answer in one piece."""
        ...


def read_text(document: Mapping[str, Any], name: str) -> str:
    """A text field, empty where it is missing or null. Raises InvalidRequest."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_type(name, value, "string")
    return value


def read_flag(document: Mapping[str, Any], name: str, default: bool) -> bool:
    """A boolean field, its default where it is missing or null. Raises InvalidRequest."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong_type(name, value, "bool")
    return value


def read_objects(document: Mapping[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    """A field that is a list of objects; empty where it is missing or null."""
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong_type(name, value, "[]object")
    for each in cast(list[object], value):
        if not isinstance(each, dict):
            raise wrong_type(name, each, "object")
    return tuple(cast(list[dict[str, Any]], value))


_GO_KINDS: Mapping[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "bool",
    list: "array",
}


def wrong_type(field: str, value: object, wanted: str) -> InvalidRequest:
    """The error for a field of a wrong type, as Go's JSON decoder words it."""
    kind = _GO_KINDS.get(value.__class__, "object")
    text = f"json: cannot unmarshal {kind} into Go struct field .{field} of type {wanted}"
    return InvalidRequest(text, field)
