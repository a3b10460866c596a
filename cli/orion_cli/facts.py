"""What `orion doctor` found, before it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """The store. None: could not be read."""

    address: str
    error: str = ""
    remedy: str = ""
    version: str = ""
    mode: str = "standalone"
    settings: Mapping[str, str] | None = None
    replays: bool | None = None
    """Whether its user `default` may do what is replayed from its append-only file."""
    library: int | None = None
    wanted_library: int = 0
    skew_s: float | None = None
    planner: str = ""
    planner_beats: bool = False
    nodes: Sequence[str] = ()
    silent: Sequence[str] = ()
    draining: Sequence[str] = ()
    engines: Mapping[str, str] = field(default_factory=dict[str, str])
    """Board → why its worker cannot use its Ollama."""
    invalid: Mapping[str, str] = field(default_factory=dict[str, str])
    """Key or entry → what its schema says is wrong with it."""
    sampled: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """The router: what its probes answered."""

    url: str
    error: str = ""
    ready: bool = False
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaFacts:
    """One Ollama."""

    url: str
    error: str = ""
    version: str = ""
    models: Sequence[str] = ()
    machine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One condition of an InferenceCluster, as the operator wrote it."""

    resource: str
    type: str
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What the Kubernetes API says of our namespace. None: the definition is not there."""

    namespace: str
    error: str = ""
    revision: int | None = None
    wanted_revision: int = 0
    conditions: Sequence[Told] = ()
    operators: Sequence[str] = ()
    """Names of the operator's pods."""
    holder: str = ""
    """Who has the lease: of several operators, the one that acts."""
