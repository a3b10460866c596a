"""The cluster as the watches showed it: small values in place of whole objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from orion_operator.daemons import RevisionFacts, SetFacts, read_revision, read_set
from orion_operator.nodes import NodeFacts, read_node
from orion_operator.ownership import Resource, read_resource
from orion_operator.pods import PodFacts, read_pod


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


class Cache(Generic[T]):
    """Values by name. `on_change` is called when one differs in what counts."""

    def __init__(
        self,
        read: Callable[[Mapping[str, Any]], T],
        on_change: Callable[[], None],
        essence: Callable[[T], object] = lambda value: value,
    ) -> None:
        self._read = read
        self._on_change = on_change
        self._essence = essence
        self.items: dict[str, T] = {}

    def seen(self, body: Mapping[str, Any]) -> None:
        """An object was listed, added or modified."""
        value = self._read(body)
        before = self.items.get(value.name)
        self.items[value.name] = value
        if before is None or self._essence(before) != self._essence(value):
            self._on_change()

    def gone(self, name: str) -> None:
        """An object was deleted."""
        if self.items.pop(name, None) is not None:
            self._on_change()

    def keep(self, present: Collection[str]) -> None:
        """Forget what is not there any more: a watch that began anew does not tell of it."""
        for name in set(self.items) - set(present):
            self.gone(name)


class View:
    """Everything that is watched, and a bell for the reconciler."""

    def __init__(self) -> None:
        self.bell = asyncio.Event()
        self.synced = False
        """Whether everything was listed once."""
        ring = self.bell.set
        self.nodes: Cache[NodeFacts] = Cache(read_node, ring)
        self.resources: Cache[Resource] = Cache(
            read_resource, ring, lambda r: replace(r, status={})
        )
        self.pods: Cache[PodFacts] = Cache(read_pod, ring)
        self.sets: Cache[SetFacts] = Cache(read_set, ring)
        self.revisions: Cache[RevisionFacts] = Cache(read_revision, ring)

    def listed(self) -> None:
        """Everything was listed."""
        if not self.synced:
            self.synced = True
            self.bell.set()
