"""Forgets what is not there any more: a watch that began anew does not tell of what was deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orion_operator.cluster import Cluster, Watched
from orion_operator.view import Cache, View

SWEEP_S = 600.0


class Sweep:
    """Compares names now and then."""

    def __init__(self, view: View, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._caches: dict[Watched, Cache[Any]] = {
            "nodes": view.nodes,
            "resources": view.resources,
            "pods": view.pods,
            "sets": view.sets,
            "revisions": view.revisions,
        }
        self._cluster = cluster
        self._clock = clock
        self._swept_s = clock()

    async def when_due(self) -> None:
        """Sweep, if it is time. Raises ApiError."""
        if self._clock() - self._swept_s < SWEEP_S:
            return
        self._swept_s = self._clock()
        for kind, cache in self._caches.items():
            before = set(cache.items)
            present = await self._cluster.present(kind)
            cache.keep(present | (set(cache.items) - before))  # what came meanwhile stays
