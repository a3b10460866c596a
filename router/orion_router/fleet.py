"""The fleet: a snapshot of all boards at one instant (pure). What it says never changes; what was
worked out of a board is kept with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from orion_contracts.config import NodeConfig
from orion_contracts.health import DiskModel, NodeHealth, Progress

State = Literal["fresh", "stale", "lost"]
NOTHING_SAID = NodeConfig()
WORKED_OUT = ("memo", "notes", "ends", "stands", "stays", "slots", "resident", "resident_bytes",
              "recency", "seats", "progress", "on_disk")  # fmt: skip
"""Of a `Node`, what follows from its report, when that was heard, and the configuration alone."""


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
    strain: float = 0.0
    """Its temperature or RAM as a share of the threshold that excludes it, whichever is more."""
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
    stands: dict[bool, Any] = field(
        default_factory=dict[bool, Any], compare=False, repr=False, init=False
    )
    """The board with what it held last, with heat and without (`policy/stands.py`)."""
    stays: dict[tuple[str, frozenset[str]], frozenset[str]] = field(
        default_factory=dict[tuple[str, frozenset[str]], frozenset[str]],
        compare=False,
        repr=False,
        init=False,
    )
    """Which models stay beside a newcomer (`policy/footing.py`)."""

    def goes_on(self, before: Node) -> Node:
        """Itself, with what was worked out of a snapshot that had the same report."""
        kept = before.__dict__
        self.__dict__.update({name: kept[name] for name in WORKED_OUT if name in kept})
        return self

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
    def copies(self) -> Mapping[str, int]:
        """How many of the eligible boards have each model in memory."""
        return Counter(model for node in self.eligible for model in node.resident)

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
