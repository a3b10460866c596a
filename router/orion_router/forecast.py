"""What this router can say of requests that wait: their decisions, their places, their times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from orion_contracts.errors import NoNodeEligible, QueueFull, QueueWait, UnknownModel
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta
from orion_router import estimates
from orion_router.estimates import Standing
from orion_router.fleet import normal
from orion_router.journal import Noted
from orion_router.planner import Planner
from orion_router.policy import Prospect, Waiting, fits, pool
from orion_router.watch import Watch

KEPT_S = 1.0
MOST_KINDS = 32
"""Kinds of newcomers that a full queue is reckoned through for, in KEPT_S."""
NEWCOMER = "newcomer"


@dataclass(frozen=True, slots=True)
class Told:
    """Decisions, and whether this router is the one that makes them."""

    plans: bool
    planner: str
    """The router that plans; empty: not known."""
    noted: Sequence[Noted] = ()


class Forecast:
    """Reads the plan where it is made; elsewhere it knows nothing, and says so."""

    def __init__(self, watch: Watch, planner: Planner) -> None:
        self._watch, self._planner = watch, planner
        self._kinds: dict[tuple[str, str, str], Prospect | None] = {}
        self._kinds_s = -inf
        self.wait_s = 0.0
        """Until the last of the waiting requests begins; as of the last `refresh`."""

    def refresh(self) -> None:
        """Called every second, in the event loop."""
        held = self._planner.lease.held
        self.wait_s = estimates.longest_s(self._planner.outlook().values()) if held else 0.0

    def decisions(self, limit: int, request_id: str = "") -> Told:
        """The last ones; for a request that waits, first why it does."""
        planner = self._planner
        if not planner.lease.held:
            return Told(False, planner.who)
        noted = planner.journal.recent(limit, request_id)
        item = planner.backlog.waiting.get(request_id)
        if item is not None:
            noted = [self._why_it_waits(item), *noted][:limit]
        return Told(True, planner.who, noted)

    def _why_it_waits(self, item: Waiting) -> Noted:
        """It was looked at as if it were alone: whatever board it could have has others first."""
        decision = self._planner.explain(item)
        if decision.verdict == "assign":
            decision = replace(decision, verdict="wait", why="others come first")
        if (planned := self._planner.outlook().get(item.request_id)) is not None:
            decision = replace(decision, node=planned.node)
        return Noted(time.time(), decision)

    @property
    def knows(self) -> bool:
        """Whether the plan is made here: then who is not in it does not wait."""
        return self._planner.lease.held

    def standing(self, request_id: str) -> Standing | None:
        """Where a request stands in the plan; None: it does not wait, or is too new."""
        if not self.knows or request_id not in self._planner.backlog.waiting:
            return None
        prospect = self._planner.outlook().get(request_id)
        return None if prospect is None else estimates.standing(prospect)

    def refuse_hopeless(self, request: InferenceRequest) -> None:
        """Raises UnknownModel or NoNodeEligible."""
        fleet, config = self._watch.fleet, self._watch.config
        if not fleet.knows(request.model):
            raise UnknownModel(request.called)
        if config.routing.when_no_node_eligible == "Reject" and not fleet.eligible:
            back_s = estimates.board_back_s(fleet.nodes.values(), config.thresholds)
            raise NoNodeEligible(
                "no board may take work now (too hot, out of memory or gone)",
                estimates.retry_after_s(back_s),
            )

    def most_wait_s(self, request: InferenceRequest) -> float:
        """For how long a request may be expected to wait: by the configuration and its client."""
        bound_s, own_ms = self._watch.config.routing.max_wait_s, request.max_wait_ms
        return bound_s if own_ms is None else min(bound_s, own_ms / 1000)

    def expected_wait_s(self, meta: Meta) -> float | None:
        """Seconds until a newcomer would begin, by figures that were measured; None: not known."""
        prospect = self._newcomer(meta) if self.knows else None
        if prospect is None or not isfinite(prospect.start_s):
            return None
        node = self._watch.fleet.nodes.get(prospect.node)
        beliefs = self._planner.learner.beliefs(time.monotonic())
        if node is None or not estimates.is_measured(node, normal(meta.model), beliefs):
            return None
        return prospect.start_s

    def refuse_long_wait(self, request: InferenceRequest, meta: Meta) -> None:
        """Raises QueueWait where it would wait for longer than it may."""
        bound_s, wait_s = self.most_wait_s(request), self.expected_wait_s(meta)
        if wait_s is None and request.max_wait_ms is not None:
            self._refuse_without_board(normal(meta.model), bound_s)
        if wait_s is None or wait_s <= bound_s:
            return
        own = bound_s < self._watch.config.routing.max_wait_s
        whose = "its own max_wait_ms" if own else "routing.max_wait_s"
        raise QueueWait(
            f"a board is expected to be free in {wait_s:.3g} s, and nobody is to wait "
            f"for longer than {bound_s:g} s ({whose}); try again later",
            estimates.retry_after_s(wait_s - bound_s),
        )

    def _refuse_without_board(self, model: str, bound_s: float) -> None:
        """Who says how long it would wait need not wait for boards that may not work."""
        fleet, config = self._watch.fleet, self._watch.config
        able = [n for n in fleet.nodes.values() if model in n.on_disk and fits(n, model)]
        usable = {node.name for node in pool(fleet, config.routing)}
        if model not in fleet.models or any(node.name in usable for node in able):
            return
        back_s = estimates.board_back_s(able, config.thresholds)
        if back_s > bound_s:
            raise QueueWait(
                "no board that can run the model may take work now (hot, full, draining or gone), "
                f"and its own max_wait_ms is {bound_s * 1000:g}; try again later",
                estimates.retry_after_s(back_s),
            )

    def queue_full(self, detail: str) -> QueueFull:
        """The error for a queue that holds as much as it may."""
        free_s = estimates.place_free_s(self._planner.outlook().values()) if self.knows else inf
        wait_s = estimates.retry_after_s(free_s)
        return QueueFull(f"the queue is full ({detail}); try again later", wait_s)

    def _newcomer(self, meta: Meta) -> Prospect | None:
        """Where such a request would stand; None: too many kinds of them came at once."""
        now_s = time.monotonic()
        if now_s - self._kinds_s > KEPT_S:
            self._kinds, self._kinds_s = {}, now_s
        kind = (meta.model, meta.priority, meta.source)
        if kind not in self._kinds and len(self._kinds) < MOST_KINDS:
            item = Waiting(NEWCOMER, self._planner.reckoned(meta), inf, now_s)
            queue = [*self._planner.backlog.in_order, item]
            self._kinds[kind] = self._planner.foresee(queue).get(NEWCOMER)
        return self._kinds.get(kind)
