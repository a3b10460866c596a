"""The cluster's configuration as routers and workers read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orion_contracts.aliases import real_names, tagged

WhenNoNodeEligible = Literal["Queue", "LeastBad", "Reject"]
Drain = Literal["cordoned", "requested"]
"""Why a board drains: its Kubernetes node is cordoned, or the resource asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The customer's gates: above `exclude` a board gets no work until it is at `return` again."""

    temperature_exclude_c: float = 75.0
    temperature_return_c: float = 70.0
    ram_exclude_percent: float = 90.0
    ram_return_percent: float = 85.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Queueing rules; sizes in bytes, times in seconds."""

    when_no_node_eligible: WhenNoNodeEligible = "Queue"
    max_queue_requests: int = 256
    max_queue_bytes: int = 64 * 1024 * 1024
    starvation_bound_s: float = 60.0
    energy_tie_s: float = 0.0
    """Boards whose expected times differ by less are chosen by energy; 0: never."""
    default_deadline_s: float | None = None
    """Of requests that name none; None: the ledger's backstop."""
    max_wait_s: float = 600.0
    """A request that is expected to wait longer for a board is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What the operator says of one board; None: nothing."""

    node_class: str | None = None
    slots: int | None = None
    drain: Drain | None = None
    storage_bytes_per_second: float | None = None
    idle_w: float | None = None
    max_w: float | None = None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> NodeConfig:
        """Build from one value of `nodes`."""
        rest = {name: value for name, value in wire.items() if name != "class"}
        return cls(node_class=wire.get("class"), **rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A model that the cluster keeps. `nodes` is the placement: the boards that hold it."""

    name: str
    nodes: tuple[str, ...] = ()
    preload: bool = True
    retain: bool = True
    keep_alive_seconds: int | None = None
    context_length: int | None = None
    aliases: tuple[str, ...] = ()
    fallback: str | None = None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ModelConfig:
        """Build from one item of `models`."""
        lists: dict[str, Any] = {n: tuple(wire.get(n, ())) for n in ("nodes", "aliases")}
        return cls(**{**wire, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One generation of the configuration."""

    generation: int = 0
    thresholds: Thresholds = field(default_factory=Thresholds)
    routing: Routing = field(default_factory=Routing)
    nodes: Mapping[str, NodeConfig] = field(default_factory=dict[str, NodeConfig])
    models: tuple[ModelConfig, ...] = ()
    aliases: Mapping[str, str] = field(
        default_factory=dict[str, str], init=False, compare=False, repr=False
    )
    """Further names of models, tagged, with the model that each stands for."""

    def __post_init__(self) -> None:
        """Worked out once: every request is looked up here."""
        object.__setattr__(self, "aliases", real_names(self.models))

    def real_name(self, model: str) -> str:
        """The model that a request means; its own name where that is no alias."""
        if not self.aliases:
            return model
        return self.aliases.get(tagged(model), model)

    def node(self, name: str) -> NodeConfig:
        """What is said of the board; nothing where it is not named."""
        return self.nodes.get(name, _UNNAMED)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ClusterConfig:
        """Build from a document that passed config.schema.json."""
        return cls(
            generation=wire["generation"],
            thresholds=Thresholds(**wire.get("thresholds", {})),
            routing=Routing(**wire.get("routing", {})),
            nodes={name: NodeConfig.from_wire(n) for name, n in wire.get("nodes", {}).items()},
            models=tuple(ModelConfig.from_wire(model) for model in wire.get("models", ())),
        )


_UNNAMED = NodeConfig()
DEFAULT_CONFIG = ClusterConfig()
