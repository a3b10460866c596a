"""The boards of an InferenceCluster's spec: thresholds, classes, single nodes (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orion_contracts import kubernetes
from orion_operator.fields import Cel, declare
from orion_operator.names import CLASS_NAME, NODE_NAME, QUANTITY, SET
from orion_operator.quantity import to_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdSpec:
    """The health gates."""

    RULES: ClassVar[tuple[Cel, ...]] = (
        Cel(
            rule="self.temperatureReturnC < self.temperatureExcludeC",
            message="temperatureReturnC must be below temperatureExcludeC",
            field=".temperatureReturnC",
        ),
        Cel(
            rule="self.ramReturnPercent < self.ramExcludePercent",
            message="ramReturnPercent must be below ramExcludePercent",
            field=".ramReturnPercent",
        ),
    )

    temperature_exclude_c: float = declare(
        75, kind="number", minimum=30, maximum=110,
        text="A board hotter than this (°C) gets no new work.",
    )  # fmt: skip
    temperature_return_c: float = declare(
        70, kind="number", minimum=20, maximum=110,
        text="It gets work again at or below this (°C).",
    )  # fmt: skip
    ram_exclude_percent: float = declare(
        90, kind="number", minimum=10, maximum=100,
        text="A board that uses more of its memory than this (%) gets no new work.",
    )  # fmt: skip
    ram_return_percent: float = declare(
        85, kind="number", minimum=5, maximum=100,
        text="It gets work again at or below this (%).",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClassSpec:
    """A class of boards by memory."""

    name: str = declare(
        **CLASS_NAME, text="Name of the class: the value of the label inference.orion.dev/class."
    )
    min_memory_bytes: int = declare(
        name="minMemory", kind="int-or-string", convert=to_bytes, pattern=QUANTITY,
        maxLength=20, minimum=0,
        text="Least memory of a board of this class, as the kernel reports it (an 8 GB board "
        "reports about 7.6Gi). A board belongs to the class with the most memory that it reaches.",
    )  # fmt: skip
    roles: tuple[str, ...] = declare(
        ("worker",), **SET, maxItems=2, items={"type": "string", "enum": [*kubernetes.ROLES]},
        text="What runs on such boards: router (router and store), worker (Ollama), or nothing.",
    )  # fmt: skip
    slots: int = declare(
        1, kind="integer", minimum=1, maximum=16,
        text="Requests that such a board runs at once.",
    )  # fmt: skip

    @property
    def works(self) -> bool:
        """Whether such boards run models."""
        return "worker" in self.roles


DEFAULT_CLASSES = (
    {"name": "16gb", "minMemory": "12Gi", "roles": ["router", "worker"], "slots": 1},
    {"name": "8gb", "minMemory": "6Gi", "roles": ["worker"], "slots": 1},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What is known of one board by name; wins over its class."""

    RULES: ClassVar[tuple[Cel, ...]] = (
        Cel(
            rule="!has(self.idleWatts) || !has(self.maxWatts) || self.idleWatts <= self.maxWatts",
            message="idleWatts must not be above maxWatts",
            field=".idleWatts",
        ),
    )

    name: str = declare(**NODE_NAME, text="The Kubernetes node.")
    node_class: str | None = declare(
        None, name="class", **CLASS_NAME,
        text="Class of this board whatever its memory; excluded keeps everything of ours off it.",
    )  # fmt: skip
    slots: int | None = declare(
        None, kind="integer", minimum=1, maximum=16,
        text="Requests that it runs at once; otherwise its class says.",
    )  # fmt: skip
    drain: bool = declare(
        False, kind="boolean",
        text="Take no new work, finish what runs. A cordoned node drains without it.",
    )  # fmt: skip
    storage_mib_per_s: float | None = declare(
        None, name="storageMiBPerSecond", kind="number", minimum=1, maximum=100_000,
        text="How fast the disk with the models is read: the first guess of load times.",
    )  # fmt: skip
    idle_watts: float | None = declare(
        None, kind="number", minimum=0, maximum=10_000, text="Power without work."
    )
    max_watts: float | None = declare(
        None, kind="number", minimum=0, maximum=10_000, text="Power under full load."
    )
