"""Changes what is ours on Node objects, and moves the operator off an excluded board."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from orion_contracts import kubernetes as names
from orion_contracts.stamp import iso
from orion_operator.api import ApiError
from orion_operator.board import Board
from orion_operator.cluster import Cluster
from orion_operator.feedback import condition_patch, wanted_taint
from orion_operator.labels import Belonging, refuge
from orion_operator.lease import Lease
from orion_operator.loose import mapping
from orion_operator.metrics import Metrics
from orion_operator.nodes import NodeFacts
from orion_operator.spec_models import FeedbackSpec

log = logging.getLogger(__name__)

RESTART_S = 300.0


class NodeWriter:
    """`here`: the node that this operator runs on; `deployment`: its own; both may be empty."""

    def __init__(
        self,
        cluster: Cluster,
        lease: Lease,
        metrics: Metrics,
        here: str,
        deployment: str,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._lease = lease
        self._metrics = metrics
        self._here = here
        self._deployment = deployment
        self._wall = wall
        self._refused = ""

    async def label(self, belonging: Belonging) -> None:
        """Write the labels that differ. Raises ApiError after it tried all."""
        if not belonging.changes or not await self._lease.confirm():
            return
        failed: ApiError | None = None
        for name, wanted in belonging.changes.items():
            try:
                await self._cluster.patch_node(name, {"metadata": {"labels": dict(wanted)}})
                self._metrics.node_writes.inc()
                log.info("node %s: class %s, owner %s", name, *wanted.values())
            except ApiError as error:
                failed = error
        if failed:
            raise failed

    async def feed_back(self, boards: Iterable[Board], wanted: FeedbackSpec) -> None:
        """Conditions and taints. What is not allowed is said once: it is optional."""
        now = iso(self._wall() // 1)
        changes: list[Callable[[], Awaitable[object]]] = []
        for board in boards:
            if (patch := condition_patch(board, wanted, now)) is not None:
                changes.append(partial(self._cluster.patch_node, board.name, patch, "status"))
            taint = wanted_taint(board, wanted)
            if (taint is not None) != board.tainted:
                changes.append(partial(self._cluster.retaint, board.name, taint))
        if not changes or not await self._lease.confirm():
            return
        for change in changes:
            try:
                await change()
                self._metrics.node_writes.inc()
            except ApiError as error:
                if error.status != 409 and str(error) != self._refused:
                    log.warning(
                        "feedback: %s (the chart's feedback.enabled gives the right)", error
                    )
                    self._refused = str(error)

    async def leave_excluded(self, belonging: Belonging, nodes: Mapping[str, NodeFacts]) -> None:
        """Restart our own Deployment if this board is excluded and another one is not."""
        if not self._deployment or belonging.changes:
            return  # the labels come first: they are what keeps the new pod away from here
        target = refuge(self._here, belonging.classes, nodes)
        if not target:
            return
        deployment = await self._cluster.deployment(self._deployment)
        template = mapping(mapping(mapping(deployment).get("spec")).get("template"))
        marks = mapping(mapping(template.get("metadata")).get("annotations"))
        if deployment is None or self._recent(str(marks.get(names.RESTARTED_ANNOTATION, ""))):
            return
        log.warning("this board (%s) is excluded; restarting the Deployment %s, so that the "
                    "operator runs on another one, such as %s", self._here, self._deployment,
                    target)  # fmt: skip
        await self._cluster.restart(self._deployment, iso(self._wall() // 1))

    def _recent(self, stamp: str) -> bool:
        try:
            then = datetime.fromisoformat(stamp).timestamp()
        except ValueError:
            return False
        return abs(self._wall() - then) < RESTART_S
