"""The lines of a trace as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from orion_contracts import schema
from orion_contracts.errors import InvalidRequest

VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class SeenBoard:
    """A board as its health report told of it when the recording began."""

    name: str
    memory_bytes: int | None = None
    resident: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line."""

    recorded_at: str
    boards: tuple[SeenBoard, ...] = ()
    models: Mapping[str, int] = field(default_factory=dict[str, int])
    """File sizes in bytes."""
    with_prompts: bool = False

    def to_line(self) -> str:
        """JSON, without a line break."""
        boards = [
            {"name": b.name, "memory_bytes": b.memory_bytes, "resident": list(b.resident)}
            for b in self.boards
        ]
        wire = {
            "kind": "head", "version": VERSION, "recorded_at": self.recorded_at,
            "with_prompts": self.with_prompts, "boards": boards, "models": dict(self.models),
        }  # fmt: skip
        return json.dumps(wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One finished request. `at_s` since the recording began; tokens are the engine's where it
    told them, estimates else; what a run took, and how long it had waited, if it ran."""

    at_s: float
    model: str
    status: str
    operation: str = "chat"
    priority: str = "interactive"
    source: str = ""
    session: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    output_limit: int = 0
    prefixes: tuple[tuple[str, int], ...] = ()
    node: str = ""
    wait_s: float | None = None
    load_s: float | None = None
    prompt_s: float | None = None
    output_s: float | None = None
    body: Mapping[str, Any] | None = None
    """The request itself, with its prompt; only where the recording was asked for it."""

    def to_line(self) -> str:
        """JSON, without a line break; empty fields are left out."""
        wire: dict[str, Any] = {"kind": "request"}
        for each in fields(self):
            value = getattr(self, each.name)
            if value not in (None, "", ()) or each.name in ("model", "status"):
                wire[each.name] = value
        return json.dumps(wire)


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole file; requests in order of arrival."""

    head: Head
    requests: tuple[Recorded, ...]


def read(lines: Iterable[str]) -> Trace:
    """Parse and check every line.

    Raises:
        ValueError: a line is no line of a trace, or there is no head; says which and why.
    """
    head: Head | None = None
    requests: list[Recorded] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            parsed: object = json.loads(line)
            if not isinstance(parsed, dict):
                raise ValueError("no JSON object")
            wire = cast(dict[str, Any], parsed)
            schema.check("trace", wire)
        except (ValueError, InvalidRequest) as error:
            raise ValueError(f"line {number}: {error}") from None
        if wire.pop("kind") == "head":
            head = _head(wire)
        else:
            prefixes = tuple((digest, tokens) for digest, tokens in wire.pop("prefixes", ()))
            requests.append(Recorded(**wire, prefixes=prefixes))
    if head is None:
        raise ValueError("there is no head: the first line of a trace has kind head")
    return Trace(head, tuple(sorted(requests, key=lambda each: each.at_s)))


def _head(wire: Mapping[str, Any]) -> Head:
    boards = tuple(
        SeenBoard(b["name"], b.get("memory_bytes"), tuple(b.get("resident", ())))
        for b in wire["boards"]
    )
    return Head(
        recorded_at=wire["recorded_at"], boards=boards, models=wire["models"],
        with_prompts=wire.get("with_prompts", False),
    )  # fmt: skip
