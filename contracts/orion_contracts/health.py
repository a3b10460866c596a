"""A board's report, and the hash it lives in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import orjson

from orion_contracts.power import PowerModel
from orion_contracts.stamp import VERSION

TTL_S = 15
INTERVAL_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentModel:
    """A model in a board's memory, as its engine lists it."""

    name: str
    digest: str = ""
    size_bytes: int = 0
    context_length: int = 0
    expires_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskModel:
    """A model on a board's disk."""

    name: str
    digest: str = ""
    size_bytes: int = 0
    modified_at: str = ""
    details: Mapping[str, Any] | None = None
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The board's Ollama. `settings` are those it really runs with, where they can be known."""

    reachable: bool
    version: str = ""
    error: str = ""
    wedged: bool = False
    settings: Mapping[str, Any] | None = None


RunState = Literal["loading", "prefill", "decode"]
"""A request on a board: waits for its model; its prompt is read; tokens come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one request was when its board reported."""

    request_id: str
    state: RunState = "prefill"
    output_tokens: int = 0
    elapsed_s: float | None = None
    """For how long it has been in this state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """One report. None means "could not be read": unknown is its own answer."""

    node: str
    incarnation: str
    timestamp: str
    engine: Engine
    slots: int = 1
    running: int = 0
    waiting: int = 0
    seq: int = 0
    node_class: str = ""
    temperature_c: float | None = None
    temperature_known_before: bool = False
    throttled: bool | None = None
    under_voltage: bool | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_pressure_some_percent: float | None = None
    load_1m: float | None = None
    disk_free_bytes: int | None = None
    power_w: float | None = None
    """Measured; None: no sensor that can be read."""
    power: PowerModel | None = None
    resident: tuple[ResidentModel, ...] = ()
    loading: tuple[str, ...] = ()
    models: tuple[DiskModel, ...] = ()
    pulls: tuple[Mapping[str, Any], ...] = ()
    """Placed models that are not on disk: on their way, waiting, or why not."""
    keeper: Mapping[str, Any] | None = None
    """What the model keeper is to keep and does; None where nothing is placed."""
    share_url: str | None = None
    """Where other boards may copy this one's models."""
    rates: Mapping[str, Mapping[str, float]] | None = None
    progress: tuple[Progress, ...] = ()
    """Of the requests that run, at most one for each slot."""
    prompt_cache_bytes: int | None = None
    """Memory in which the engine keeps the prompts of before; None where nobody told the worker."""

    @property
    def ram_used_percent(self) -> float | None:
        """(1 - MemAvailable/MemTotal) x 100, or None."""
        if not self.memory_total_bytes or self.memory_available_bytes is None:
            return None
        return 100.0 * (1.0 - self.memory_available_bytes / self.memory_total_bytes)

    def to_wire(self) -> dict[str, Any]:
        """The JSON document of node-health.schema.json."""
        wire: dict[str, Any] = {"version": VERSION, "source": f"orion-inference-worker/{self.node}"}
        for name in _SCALARS:
            value = getattr(self, name)
            if value is not None:
                wire[_WIRE_NAME.get(name, name)] = value
        wire["engine"] = _plain(self.engine)
        wire["resident"] = [_plain(m) for m in self.resident]
        wire["models"] = [_plain(m) for m in self.models]
        wire["loading"] = list(self.loading)
        wire["pulls"] = list(self.pulls)
        wire["progress"] = [_plain(p) for p in self.progress]
        if self.power is not None:
            wire["power"] = _plain(self.power)
        if self.keeper is not None:
            wire["keeper"] = dict(self.keeper)
        if self.rates:
            wire["rates"] = {model: dict(values) for model, values in self.rates.items()}
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> NodeHealth:
        """Build from a document that passed the schema; unknown fields are ignored."""
        known: dict[str, Any] = {}
        for name in _SCALARS:
            key = _WIRE_NAME.get(name, name)
            if key in wire:
                known[name] = wire[key]
        return cls(
            engine=_build(Engine, wire["engine"]),
            resident=tuple(_build(ResidentModel, m) for m in wire.get("resident", ())),
            models=tuple(_build(DiskModel, m) for m in wire.get("models", ())),
            loading=tuple(wire.get("loading", ())),
            pulls=tuple(wire.get("pulls", ())),
            keeper=wire.get("keeper"),
            power=_build(PowerModel, wire["power"]) if "power" in wire else None,
            rates=wire.get("rates"),
            progress=tuple(_build(Progress, p) for p in wire.get("progress", ())),
            **known,
        )

    def to_hash(self) -> dict[str, bytes]:
        """The Redis hash: each top-level field as JSON, so that `HGETALL` reads well."""
        return {name: orjson.dumps(value) for name, value in self.to_wire().items()}


def hash_to_wire(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The document of a health hash, to be checked against the schema. Raises ValueError."""
    return {name.decode(): orjson.loads(value) for name, value in fields.items()}


T = TypeVar("T")
_WIRE_NAME = {"node_class": "class"}
_NESTED = {
    "engine", "resident", "models", "loading", "pulls", "keeper", "rates", "progress", "power",
}  # fmt: skip
_SCALARS = tuple(n for n in NodeHealth.__dataclass_fields__ if n not in _NESTED)


def _plain(value: Any) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    names: tuple[str, ...] = tuple(value.__dataclass_fields__)
    for name in names:
        item: Any = getattr(value, name)
        if item is not None:
            wire[name] = list(item) if isinstance(item, tuple) else item  # pyright: ignore[reportUnknownArgumentType]
    return wire


def _build(kind: type[T], wire: Mapping[str, Any]) -> T:
    fields: list[str] = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # pyright: ignore[reportUnknownArgumentType]
    known: dict[str, Any] = {}
    for name in fields:
        if name in wire:
            item: Any = wire[name]
            known[name] = tuple(item) if isinstance(item, list) else item  # pyright: ignore[reportUnknownArgumentType]
    return kind(**known)
