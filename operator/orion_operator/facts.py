"""Everything that a status is made of, at one instant (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orion_contracts.health import DiskModel, ResidentModel
from orion_operator.board import Board
from orion_operator.footprint import tagged
from orion_operator.placement import Placed, Plan
from orion_operator.rollout import NOTHING_TO_REPLACE, Rollout
from orion_operator.spec import ClusterSpec
from orion_operator.troubles import NO_TROUBLE, Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the store told. `trouble` empty: all is well."""

    trouble: Trouble = NO_TROUBLE
    advice: str = ""
    queue: int | None = None
    routers: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """Living routers to the generation they run; None: they have not said."""

    @property
    def reachable(self) -> bool:
        """Whether it answers us at all."""
        return self.trouble.reason in ("", "StoreNotDurable", "StoreEvicts", "StoreCannotPersist")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One look at the world."""

    generation: int
    spec: ClusterSpec = field(default_factory=ClusterSpec)
    boards: tuple[Board, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict[str, str])
    """Boards of other namespaces, to their owner."""
    plan: Plan = field(default_factory=dict[str, Placed])
    store: StoreFacts = field(default_factory=StoreFacts)
    config_generation: int = 0
    shared_with: str = ""
    """Another operator writes the same store's configuration."""
    missing_images: str = ""
    definition: str = ""
    """What is wrong with the CRD in the cluster."""
    rollout: Rollout = NOTHING_TO_REPLACE

    @cached_property
    def workers(self) -> tuple[Board, ...]:
        """Boards that run models."""
        return tuple(board for board in self.boards if board.works)

    @cached_property
    def eligible(self) -> tuple[Board, ...]:
        """Those that may take work now."""
        return tuple(board for board in self.workers if board.state == "Eligible")

    def holders(self, model: str) -> tuple[Board, ...]:
        """Boards with the model in memory."""
        return tuple(self._resident.get(tagged(model), ()))

    def keepers(self, model: str) -> tuple[Board, ...]:
        """Boards with the model on disk."""
        return tuple(self._on_disk.get(tagged(model), ()))

    @cached_property
    def _resident(self) -> dict[str, list[Board]]:
        return _by_model((b, b.report.resident if b.report else ()) for b in self.workers)

    @cached_property
    def _on_disk(self) -> dict[str, list[Board]]:
        return _by_model((b, b.report.models if b.report else ()) for b in self.workers)


def _by_model(
    holdings: Iterable[tuple[Board, Iterable[ResidentModel | DiskModel]]],
) -> dict[str, list[Board]]:
    found: dict[str, list[Board]] = {}
    for board, models in holdings:
        for name in {tagged(model.name) for model in models}:
            found.setdefault(name, []).append(board)
    return found
