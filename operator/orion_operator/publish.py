"""Writes statuses and Events, as seldom as the rules of `status` allow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from orion_contracts.stamp import iso
from orion_operator.api import ApiError
from orion_operator.cluster import Cluster
from orion_operator.events import Note, event, notes
from orion_operator.fields import write
from orion_operator.metrics import Metrics
from orion_operator.ownership import Resource
from orion_operator.status import QUIET_S, read_status, worth_writing
from orion_operator.status_types import ClusterStatus

log = logging.getLogger(__name__)

Make = Callable[[ClusterStatus, str], ClusterStatus]
"""The status now, from the one before and the time."""


@dataclass(frozen=True, slots=True)
class _Written:
    status: ClusterStatus
    at_s: float


class Publisher:
    """Remembers what it wrote for each resource."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: Metrics,
        quiet_s: float = QUIET_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._quiet_s = quiet_s
        self._clock = clock
        self._wall = wall
        self._written: dict[str, _Written] = {}
        self._counts: dict[str, int] = {}

    async def publish(self, resource: Resource, make: Make) -> ClusterStatus:
        """Write the resource's status, if that is worth it, and tell what changed."""
        now = iso(self._wall() // 1)
        last = self._written.get(resource.uid)
        before = last.status if last else read_status(resource.status)
        since_s = self._clock() - last.at_s if last else float("inf")
        new = make(before, now)
        if not worth_writing(new, before, since_s, self._quiet_s):
            return new
        try:
            await self._cluster.patch_status(resource.name, write(new, blanks=True))
        except ApiError as error:
            log.warning("status of %s: %s", resource.name, error)
            return new
        self._metrics.status_writes.inc()
        self._written[resource.uid] = _Written(new, self._clock())
        for note in notes(before, new):
            await self.tell(resource, note, now)
        return new

    async def tell(self, resource: Resource, note: Note, now: str) -> None:
        """Post one Event; the log has it, too."""
        level = logging.WARNING if note.kind == "Warning" else logging.INFO
        log.log(level, "%s: %s: %s", resource.name, note.reason, note.message)
        document = event(note, resource.name, resource.uid, self._cluster.namespace, now)
        mark = document["metadata"]["name"]
        self._counts[mark] = document["count"] = self._counts.get(mark, 0) + 1
        try:
            await self._cluster.tell(document)
            self._metrics.events.inc()
        except ApiError as error:
            log.warning("event %s: %s", note.reason, error)

    def forget(self, uids: set[str]) -> None:
        """Keep only what belongs to these resources."""
        self._written = {uid: w for uid, w in self._written.items() if uid in uids}
        if len(self._counts) > 10_000:
            self._counts.clear()
