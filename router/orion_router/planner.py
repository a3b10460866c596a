"""The planner: asks the policy on every change, and tells the ledger."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import orjson
from anyio.lowlevel import checkpoint
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts.ledger import Dispatched, Ledger, Obstacle, is_lasting
from orion_contracts.meta import Meta
from orion_router import policy
from orion_router.backlog import Backlog
from orion_router.bell import Bell
from orion_router.contexts import within_context
from orion_router.held import Held
from orion_router.journal import Journal
from orion_router.learning.learner import Learner
from orion_router.lease import PlannerLease
from orion_router.policy import Decision, Prospect, Waiting
from orion_router.trouble import Trouble
from orion_router.verdicts import give_up
from orion_router.watch import Watch

log = logging.getLogger(__name__)

RESYNC_S = 5.0
OUTLOOK_S = 1.0
COOL_S = 2.0
"""How long a board whose engine said "not now" is left alone."""


class Planner:
    """Late binding: the queue is central, a board is given no more than its free slots."""

    def __init__(self, store: Redis, ledger: Ledger, router: str, watch: Watch) -> None:
        self._ledger = ledger
        self._watch = watch
        self._router = router
        self._unread: set[str] = set()
        self._cooling: dict[str, float] = {}
        self._wake = anyio.Event()
        self._outlook: dict[str, Prospect] = {}
        self._outlook_s = float("-inf")
        self.backlog = Backlog(store, self._read)
        self.lease = PlannerLease(store, ledger, router, self._take_over)
        self.journal = Journal()
        self.counts: Counter[str] = Counter()
        self.learner = Learner()
        self.on_held: Callable[[], Awaitable[None]] = checkpoint
        """Awaited when the lease was taken, before the first decision."""

    def reckoned(self, meta: Meta) -> Meta:
        """A request's facts as plans reckon with them; the ledger keeps them as they came."""
        return within_context(meta, self._watch.config, self._watch.fleet)

    def _read(self, meta: bytes) -> Meta:
        return self.reckoned(Meta.from_bytes(meta))

    async def _take_over(self) -> None:
        """The lease is ours: what waited meanwhile is planned at once."""
        await self.on_held()
        await self.backlog.resync()
        self.wake()

    def wake(self) -> None:
        """Something changed: plan soon."""
        self._wake.set()

    def ring(self, bell: Bell) -> None:
        """A doorbell entry."""
        kind, request_id, node, status, _ = bell
        if kind == "done":
            held = self.backlog.forget(request_id)
            self._unread.discard(request_id)
            if self.lease.held and held is not None:
                self._learn(bell, held)
        elif kind in ("queued", "assigned"):
            if node and kind == "queued":
                self._watch.poke()
            self._unread.add(request_id)
        elif kind == "node":
            log.info("board %s %s", node, status)
            self._watch.poke()
        if self.lease.held:
            self.wake()

    @property
    def who(self) -> str:
        """The router that plans, as far as this one knows."""
        return (self._router if self.lease.held else self.lease.owner).rpartition("/")[0]

    def place(self, request_id: str, meta: Meta) -> Decision | None:
        """A board for a newcomer if one is free and nobody waits; reserves nothing."""
        if not self.lease.held or self.backlog.waiting or self._unread:
            return None
        decision = self.explain(Waiting(request_id, meta, 0.0, time.monotonic()))
        return decision if decision.verdict == "assign" else None

    def explain(self, item: Waiting) -> Decision:
        """What would be decided for this request if it were alone, with every board's terms."""
        now_s = time.monotonic()
        return policy.decide(
            item, self._watch.fleet, self.backlog.held, now_s, self._watch.config.routing,
            self._cooling_now(), frozenset(self.backlog.suspects), self.learner.beliefs(now_s),
        )  # fmt: skip

    def outlook(self) -> dict[str, Prospect]:
        """Where each waiting request stands; worked out at most once a second."""
        now_s = time.monotonic()
        if now_s - self._outlook_s > OUTLOOK_S:
            self._outlook_s = now_s
            self._outlook = self.foresee(self.backlog.in_order)
        return self._outlook

    def foresee(self, queue: list[Waiting]) -> dict[str, Prospect]:
        """Where each of these would stand if they were the queue."""
        now_s = time.monotonic()
        return policy.outlook(
            queue, self._watch.fleet, self.backlog.held, now_s, self._watch.config.routing,
            self._cooling_now(), frozenset(self.backlog.suspects), self.learner.beliefs(now_s),
        )  # fmt: skip

    def _learn(self, bell: Bell, held: Held) -> None:
        node, facts = self._watch.fleet.nodes.get(bell.node), bell.facts
        if node is not None and facts is not None:
            self.learner.finished(node, held, facts, time.monotonic())

    def looked(self) -> None:
        """The boards' reports were read."""
        busy = frozenset(name for name, held in self.backlog.held.items() if held)
        self.learner.looked(self._watch.fleet.nodes, busy, time.monotonic())
        self.wake()

    def _cooling_now(self) -> frozenset[str]:
        now_s = time.monotonic()
        return frozenset(name for name, until_s in self._cooling.items() if until_s > now_s)

    async def run(self) -> None:
        """Plan on every change, until cancelled; resynchronise every RESYNC_S."""
        synced_s = 0.0
        trouble = Trouble(log, "planner")
        while True:
            with anyio.move_on_after(RESYNC_S if not self.backlog.waiting else 0.5):
                await self._wake.wait()
            self._wake = anyio.Event()
            if not self.lease.held:
                self._unread.clear()  # a new holder resynchronises anyway
                continue
            try:
                if time.monotonic() - synced_s > RESYNC_S:
                    await self.backlog.resync()
                    synced_s = time.monotonic()
                await self._plan()
                trouble.over()
            except Exception as error:
                if isinstance(error, RedisError):
                    log.warning("planner: the store does not answer: %s", error)
                else:
                    trouble.note(error)
                synced_s = 0.0  # what a failed dispatch did is in the ledger alone
                await anyio.sleep(0.2)
                self.wake()

    async def _plan(self) -> None:
        unread, self._unread = self._unread, set()
        try:
            await self.backlog.fetch(unread)
        except RedisError:
            self._unread |= unread
            raise
        for request_id in list(self.backlog.spoilt):
            log.warning("request %s: its record was overwritten", request_id)
            await self._close(request_id, "", "record_lost")
        for request_id in unread:
            item = self.backlog.waiting.get(request_id)
            if item is not None and item.refused_by:
                self._cooling[item.refused_by] = time.monotonic() + COOL_S
        if not self.backlog.waiting:
            return
        now_s = time.monotonic()
        decisions = policy.assign(
            self.backlog.in_order, self._watch.fleet, self.backlog.held, now_s,
            self._watch.config.routing, self._cooling_now(), frozenset(self.backlog.suspects),
            self.learner.beliefs(now_s),
        )  # fmt: skip
        for decision in decisions:
            await self._carry_out(decision)

    async def _carry_out(self, decision: Decision) -> None:
        item = self.backlog.waiting.get(decision.request_id)
        if item is None:
            return
        if decision.verdict != "assign":
            self.note(decision)
            await self._close(item.request_id, item.meta.model, decision.verdict)
            return
        self.backlog.hold(decision.node, item.request_id, item.meta)
        reply = await self._dispatch(decision)
        if reply.obstacle is None:
            self.note(decision)
            return
        self.counts[reply.obstacle.value] += 1
        if reply.obstacle is Obstacle.NOT_PLANNER:
            self.lease.lose()
        elif reply.obstacle is Obstacle.GONE:
            await self.backlog.fetch([item.request_id])
            return
        else:
            if reply.obstacle is Obstacle.BARRED:  # somebody spoilt its stream
                self._cooling[decision.node] = time.monotonic() + COOL_S
            self._watch.poke()
            await self.backlog.resync()
        self.backlog.enqueue(item)

    async def _dispatch(self, decision: Decision) -> Dispatched:
        try:
            return await self._ledger.dispatch(
                decision.request_id, decision.node, self.lease.epoch, decision.depth
            )
        except RedisError as error:
            if not is_lasting(error):
                raise
            log.error("board %s cannot be given work: %s", decision.node, error)
            return Dispatched(Obstacle.BARRED)

    async def _close(self, request_id: str, model: str, code: str) -> None:
        """Give up on a queued request."""
        final = give_up(request_id, model, code, self._router)
        await self._ledger.reject(
            request_id, self.lease.epoch, final.status, orjson.dumps(final.to_wire())
        )
        self.backlog.forget(request_id)

    def note(self, decision: Decision) -> None:
        """Keep a decision for people to look at."""
        self.journal.note(decision)
        self.counts[decision.verdict] += 1
        if log.isEnabledFor(logging.DEBUG):
            log.debug("decision %s", decision)
