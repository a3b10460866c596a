"""The health report, built from what was last seen (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orion_agent.keeper_report import Keeping
from orion_agent.sensors import Sample
from orion_contracts.classes import classify
from orion_contracts.health import DiskModel, Engine, NodeHealth, Progress, ResidentModel
from orion_contracts.power import PowerModel

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """The parts of a report that the worker itself knows."""

    engine: Engine
    running: int
    resident: tuple[ResidentModel, ...]
    models: tuple[DiskModel, ...]
    loading: tuple[str, ...]
    rates: Mapping[str, Mapping[str, float]]
    keeping: Keeping = field(default_factory=Keeping)
    progress: tuple[Progress, ...] = ()
    power: PowerModel | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change in a worker's life."""

    node: str
    incarnation: str
    slots: int
    node_class: str = ""
    """Empty: by memory."""
    prompt_cache_bytes: int | None = None
    """As the engine was told; None: not known."""


def build(
    who: Identity, sample: Sample, seen: Seen, *, seq: int, timestamp: str, known_before: bool
) -> NodeHealth:
    """One report. `known_before`: a temperature was readable once in this life."""
    total = sample.memory_total_bytes
    return NodeHealth(
        node=who.node,
        incarnation=who.incarnation,
        timestamp=timestamp,
        engine=seen.engine,
        slots=who.slots,
        running=min(seen.running, who.slots),
        waiting=max(seen.running - who.slots, 0),
        seq=seq,
        node_class=who.node_class or (classify(total).name if total else ""),
        temperature_c=sample.temperature_c,
        temperature_known_before=known_before or sample.temperature_c is not None,
        throttled=sample.throttled,
        under_voltage=sample.under_voltage,
        memory_total_bytes=total,
        memory_available_bytes=sample.memory_available_bytes,
        memory_pressure_some_percent=sample.memory_pressure_some_percent,
        load_1m=sample.load_1m,
        disk_free_bytes=sample.disk_free_bytes,
        power_w=sample.power_w,
        power=seen.power,
        resident=seen.resident,
        loading=seen.loading,
        models=seen.models,
        pulls=seen.keeping.pulls,
        keeper=seen.keeping.keeper,
        share_url=seen.keeping.share_url,
        rates=seen.rates or None,
        progress=seen.progress[: who.slots],
        prompt_cache_bytes=who.prompt_cache_bytes,
    )


def without_noise(health: NodeHealth) -> NodeHealth:
    """Free disk in steps of 64 MiB: each byte's change would be written to the store's disk."""
    free = health.disk_free_bytes
    return replace(health, disk_free_bytes=None if free is None else free // (64 * MIB) * 64 * MIB)
