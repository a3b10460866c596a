"""The fleet: an immutable snapshot of all boards at one instant, and its health gates (pure).

Freshness is judged by the receiver's monotonic clock: `heard_s` is when a report's sequence number
was last seen to change, never the sender's wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from orion_contracts.config import NodeConfig, Thresholds
from orion_contracts.health import DiskModel, NodeHealth, Progress

State = Literal["fresh", "stale", "lost"]
STALE_S = 12.0
"""Two missed reports and a bit: the report is every 5 s."""
TEMPERATURE_GONE_S = 15.0
SLOPE_OVER_S = 2.0
"""Reports that follow each other faster (a board tells of a change) say nothing of its slope."""
EXCLUDED = "excluded"
NOTHING_SAID = NodeConfig()


@dataclass(frozen=True)
class Node:
    """A board as the router sees it. `reasons`: why it may not take work, one word each."""

    name: str
    health: NodeHealth | None
    alive: bool
    draining: bool = False
    heard_s: float = 0.0
    lost_since_s: float | None = None
    hot: bool = False
    full_ram: bool = False
    temperature_seen_s: float | None = None
    state: State = "lost"
    reasons: tuple[str, ...] = ()
    inflight: frozenset[str] = frozenset()
    age_s: float = 0.0
    said: NodeConfig = NOTHING_SAID
    """What the configuration says of this board."""
    slope_c_per_s: float = 0.0
    """How fast its temperature rises or falls, over the last reports."""
    memo: dict[tuple[str, bool], tuple[Any, Any]] = field(
        default_factory=dict[tuple[str, bool], tuple[Any, Any]],
        compare=False,
        repr=False,
        init=False,
    )
    """What was worked out from this snapshot, so that it is worked out once."""
    notes: dict[str, float] = field(
        default_factory=dict[str, float], compare=False, repr=False, init=False
    )
    ends: dict[str, Any] = field(
        default_factory=dict[str, Any], compare=False, repr=False, init=False
    )
    """When its running requests are expected to end (`policy/ends.py`)."""
    stays: dict[tuple[str, frozenset[str]], frozenset[str]] = field(
        default_factory=dict[tuple[str, frozenset[str]], frozenset[str]],
        compare=False,
        repr=False,
        init=False,
    )
    """Which models stay beside a newcomer (`policy/footing.py`)."""

    @property
    def eligible(self) -> bool:
        """Whether the health gates let new work in."""
        return not self.reasons

    @cached_property
    def slots(self) -> int:
        """How many requests the board runs at once: what the configuration says as soon as its
        worker can do it, too."""
        own = self.health.slots if self.health else 1
        return min(own, self.said.slots or own)

    @property
    def node_class(self) -> str:
        """Its class: the configuration's word before the worker's own."""
        return self.said.node_class or (self.health.node_class if self.health else "")

    @cached_property
    def resident(self) -> frozenset[str]:
        """Models in the board's memory, names normalised."""
        return (
            frozenset(normal(m.name) for m in self.health.resident) if self.health else frozenset()
        )

    @cached_property
    def resident_bytes(self) -> Mapping[str, int]:
        """What each model in memory takes there, as the engine tells it."""
        return {normal(m.name): m.size_bytes for m in self.health.resident} if self.health else {}

    @cached_property
    def recency(self) -> Mapping[str, int]:
        """Models in memory, 0 for the one used last: its keep-alive ends last."""
        found = self.health.resident if self.health else ()
        ordered = sorted(found, key=lambda m: m.expires_at, reverse=True)
        return {normal(m.name): at for at, m in enumerate(ordered)}

    @cached_property
    def seats(self) -> int:
        """How many models the engine keeps in memory at once; 0: not known."""
        settings = self.health.engine.settings if self.health else None
        told = (settings or {}).get("max_loaded_models")
        return told if isinstance(told, int) and told > 0 else 0

    @cached_property
    def progress(self) -> Mapping[str, Progress]:
        """How far each running request was at `heard_s`."""
        return {p.request_id: p for p in self.health.progress} if self.health else {}

    @cached_property
    def on_disk(self) -> Mapping[str, DiskModel]:
        """Models on the board's disk by normalised name."""
        return {normal(m.name): m for m in self.health.models} if self.health else {}


@dataclass(frozen=True)
class Fleet:
    """All boards ever heard of that were not forgotten."""

    nodes: Mapping[str, Node] = field(default_factory=dict[str, Node])

    @cached_property
    def eligible(self) -> tuple[Node, ...]:
        """Boards that may take work, by name."""
        return tuple(n for _, n in sorted(self.nodes.items()) if n.eligible)

    @cached_property
    def models(self) -> frozenset[str]:
        """Models that some board has on disk, lost boards included: they may come back."""
        return frozenset(name for node in self.nodes.values() for name in node.on_disk)

    def knows(self, model: str) -> bool:
        """Whether some board has the model, or no board has told yet what it has."""
        return normal(model) in self.models or not any(n.health for n in self.nodes.values())


def normal(model: str) -> str:
    """A model name with its tag: no tag means `latest`."""
    return model if ":" in model else f"{model}:latest"


def observe(
    before: Node | None,
    name: str,
    health: NodeHealth | None,
    alive: bool,
    draining: bool,
    inflight: frozenset[str],
    now_s: float,
    thresholds: Thresholds,
    said: NodeConfig = NOTHING_SAID,
) -> Node:
    """The board's next snapshot. `health` None: no report in the store (the last one is kept)."""
    news = health is not None and (
        before is None
        or before.health is None
        or (health.incarnation, health.seq) != (before.health.incarnation, before.health.seq)
    )
    heard_s = now_s if news or before is None else before.heard_s
    latest = health or (before.health if before else None)
    hot, full_ram, seen_s = _gates(before, latest, news, now_s, thresholds)
    age_s = now_s - heard_s
    lost_since_s = None if alive else (before.lost_since_s if before else None)
    if not alive and lost_since_s is None:
        lost_since_s = now_s
    state: State = (
        "lost" if not alive else "stale" if latest is None or age_s > STALE_S else "fresh"
    )
    draining = draining or said.drain is not None
    reasons = _reasons(state, latest, draining, hot, full_ram, seen_s, now_s)
    if said.node_class == EXCLUDED:
        reasons = (EXCLUDED, *reasons)
    return Node(
        name, latest, alive, draining, heard_s, lost_since_s, hot, full_ram, seen_s, state, reasons,
        inflight, age_s, said, _slope(before, health, news, heard_s),
    )  # fmt: skip


def _slope(before: Node | None, health: NodeHealth | None, news: bool, heard_s: float) -> float:
    """Degrees per second between the last two reports that had a temperature."""
    if before is None or before.health is None or health is None:
        return 0.0
    then_c, now_c = before.health.temperature_c, health.temperature_c
    if not news or then_c is None or now_c is None or heard_s - before.heard_s < SLOPE_OVER_S:
        return before.slope_c_per_s
    return (now_c - then_c) / (heard_s - before.heard_s)


def _gates(
    before: Node | None,
    latest: NodeHealth | None,
    news: bool,
    now_s: float,
    limits: Thresholds,
) -> tuple[bool, bool, float | None]:
    """Temperature and RAM gates with hysteresis, and when a temperature was last readable.

    An old report is judged again, too: the thresholds may have changed.
    """
    hot = before.hot if before else False
    full = before.full_ram if before else False
    seen_s = before.temperature_seen_s if before else None
    if latest is None:
        return hot, full, seen_s
    if (celsius := latest.temperature_c) is not None:
        seen_s = now_s if news else seen_s
        hot = celsius > (limits.temperature_return_c if hot else limits.temperature_exclude_c)
    elif not latest.temperature_known_before and seen_s is None:
        hot = False  # never readable: eligible, with a warning elsewhere
    if (percent := latest.ram_used_percent) is not None:
        full = percent > (limits.ram_return_percent if full else limits.ram_exclude_percent)
    return hot, full, seen_s


def _reasons(
    state: State,
    health: NodeHealth | None,
    draining: bool,
    hot: bool,
    full_ram: bool,
    temperature_seen_s: float | None,
    now_s: float,
) -> tuple[str, ...]:
    found: list[str] = []
    if state != "fresh":
        found.append("silent")
    if draining:
        found.append("draining")
    if hot:
        found.append("hot")
    if full_ram:
        found.append("ram")
    if health is not None:
        if not health.engine.reachable:
            found.append("unreachable")
        if health.engine.wedged:
            found.append("wedged")
        gone = health.temperature_c is None and temperature_seen_s is not None
        if gone and now_s - (temperature_seen_s or 0.0) > TEMPERATURE_GONE_S:
            found.append("blind")  # a temperature was readable and is not any more
    return tuple(found)
