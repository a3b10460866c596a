"""Replaces workers of an older template, one board at a time, by evicting their pods."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from orion_operator.api import ApiError
from orion_operator.cluster import Cluster
from orion_operator.lease import Lease
from orion_operator.nodes import NodeFacts
from orion_operator.pods import PodFacts
from orion_operator.rollout import FELL_S, Rollout, decide, gone_with_it
from orion_operator.view import View

log = logging.getLogger(__name__)

SEEN_S = 30.0
"""By then the watch has told that an evicted pod is ending; asking twice does no harm."""
WARM_S = 300.0
"""How long a replaced board may take to have its models in memory again before the next one goes:
a load takes a minute on a Pi, and two cold boards at once are what an update should not make."""


class Roller:
    """One step per pass."""

    def __init__(
        self,
        view: View,
        cluster: Cluster,
        lease: Lease,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._cluster = cluster
        self._lease = lease
        self._clock = clock
        self._asked: PodFacts | None = None
        self._asked_s = 0.0
        self._refused = ""
        self._under_way = True  # a restarted operator does not know

    async def step(self, cold: Collection[str] = ()) -> Rollout:
        """Evict the worker whose turn it is, if any; what forbids it is told, not raised. `cold`:
        boards that lack a model that they should have in memory, as last seen."""
        found = self._decide(cold)
        self._under_way = not found.done
        if found.next is None or not await self._lease.confirm():
            return found
        return await self._evict(found, found.next)

    def _decide(self, cold: Collection[str]) -> Rollout:
        view, nodes = self._view, self._view.nodes.items
        found = decide(
            view.sets.items.values(), list(view.revisions.items.values()),
            view.pods.items.values(), nodes, self._under_way,
        )  # fmt: skip
        waits = found.waits or self._last_one(nodes, cold, found.next)
        return replace(found, waits=waits, next=None) if waits else found

    def _last_one(
        self, nodes: Mapping[str, NodeFacts], cold: Collection[str], then: PodFacts | None
    ) -> str:
        """What the board that was replaced last has still to do before another one goes."""
        if (unseen := self._unseen()) is not None:
            return f"{unseen.name} on {unseen.node} to end" if then else ""
        asked = self._asked
        if asked is None or not self._under_way or asked.node not in nodes:
            return ""
        if not nodes[asked.node].ready and self._since_s() < FELL_S:
            return gone_with_it(asked.node)
        if then and then.ready and asked.node in cold and self._since_s() < WARM_S:
            return f"{asked.node} to have its models in memory again"
        return ""

    def _since_s(self) -> float:
        """Since a pod was last asked to end."""
        return self._clock() - self._asked_s

    def _unseen(self) -> PodFacts | None:
        """The pod that was asked to end and that the watch still shows as it was."""
        asked = self._asked
        if asked is None or self._since_s() > SEEN_S:
            return None
        now = self._view.pods.items.get(asked.name)
        return asked if now is not None and now.uid == asked.uid and not now.ending else None

    async def _evict(self, found: Rollout, pod: PodFacts) -> Rollout:
        try:
            if not await self._cluster.evict(pod.name, pod.uid):
                self._view.pods.gone(pod.name)  # and the watch has not told it
        except ApiError as error:
            if str(error) != self._refused:
                log.warning("%s on %s cannot be replaced: %s", pod.name, pod.node, error)
                self._refused = str(error)
            return replace(found, next=None, waits=f"leave to replace {pod.name}: {error}")
        self._asked, self._asked_s, self._refused = pod, self._clock(), ""
        log.info("replacing %s on %s: %d of %d boards run the newest worker", pod.name, pod.node,
                 found.updated, found.total)  # fmt: skip
        return found
