"""The desk: what the gateway talks to. Submit, follow, cancel and look at requests."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.config import ClusterConfig
from orion_contracts.errors import (
    LedgerRefused,
    NoNodeEligible,
    OrionError,
    QueueFull,
    QueueWait,
    StoreUnavailable,
    UnknownModel,
)
from orion_contracts.fingerprint import fingerprint
from orion_contracts.ledger import Ledger, is_lasting
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.spelling import text
from orion_router.admission import Admissions
from orion_router.canary import Canary, Verdict
from orion_router.estimates import Standing
from orion_router.fleet import Fleet
from orion_router.follower import Follower
from orion_router.forecast import Forecast, Told
from orion_router.naming import Naming
from orion_router.planner import Planner
from orion_router.postbox import Mailbox
from orion_router.records import Queue, RequestView, answered, read_queue, read_views
from orion_router.refusals import IdReused
from orion_router.store_words import reason, trouble
from orion_router.tracking import Tracker
from orion_router.watch import Watch

log = logging.getLogger(__name__)


class Desk:
    """One router's requests over HTTP: admits straight into the ledger, follows by mailbox."""

    def __init__(
        self, store: Redis, ledger: Ledger, watch: Watch, planner: Planner, postbox: Mailbox
    ) -> None:
        self._store, self._ledger = store, ledger
        self._watch, self._postbox = watch, postbox
        self.forecast = Forecast(watch, planner)
        self.naming = Naming(watch, self.forecast)
        self._admissions = Admissions(ledger, watch, planner, self.forecast)
        self.tracker = Tracker(store, ledger, postbox)
        self.canary = Canary()
        self.refusals: Counter[str] = Counter()
        """Requests that were not admitted, by error code."""

    @property
    def fleet(self) -> Fleet:
        """The boards as last seen."""
        return self._watch.fleet

    @property
    def config(self) -> ClusterConfig:
        """The configuration in force."""
        return self._watch.config

    @property
    def slow(self) -> Verdict:
        """Boards that became slow with a model, as the router that plans sees it."""
        return self.canary.slow

    @property
    def config_error(self) -> str:
        """Why the newest configuration is not in force; empty when it is."""
        return self._watch.config_error

    async def submit(
        self, request: InferenceRequest, *, mark: str = "", follow: bool = True
    ) -> Follower:
        """Admit the request, in one step with its dispatch where a slot is free, and follow it.

        An id seen before with the same `mark` attaches to that request, from its beginning.
        Raises UnknownModel, NoNodeEligible, QueueFull, QueueWait, IdReused, LedgerRefused and
        StoreUnavailable.
        """
        mark = mark or fingerprint(orjson.dumps(request.to_wire()))
        settled = self.naming.settle(request)
        request = settled.request
        body = orjson.dumps(request.to_wire())
        meta = describe(request, key=self._watch.prefix_key, body_bytes=len(body))
        follower = self.tracker.follow(request.request_id)
        try:
            mailbox = self._postbox.key if follow else ""
            admission = await self._admissions.admit(request, body, meta, mark, mailbox)
        except BaseException as error:
            follower.close()
            if is_lasting(error):
                log.warning("request %s: the ledger cannot take it: %s", request.request_id, error)
                raise LedgerRefused(reason(error)) from error
            if isinstance(error, RedisError):
                raise StoreUnavailable(trouble(error)) from error
            if isinstance(error, UnknownModel | NoNodeEligible | QueueWait):
                return await self._earlier(request.request_id, mark, error)
            if isinstance(error, QueueFull):
                self.refusals[error.code] += 1
            raise
        if admission.state == "DUP":
            follower.close()
            if admission.fingerprint != mark:
                raise IdReused(
                    "this request id or Idempotency-Key was used before with another content; "
                    "use a new one",
                    "request_id",
                )
            return await self.attach(request.request_id)
        self.naming.accepted(settled)
        return follower

    async def _earlier(self, request_id: str, mark: str, error: OrionError) -> Follower:
        """What would be refused now may have been accepted before: its answer counts."""
        views = await self._views([request_id])
        if views and views[0].fingerprint == mark:
            return await self.attach(request_id)
        self.refusals[error.code] += 1
        raise error

    async def attach(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Follower:
        """Follow a running or finished request, from after the given (attempt, seq)."""
        return await self.tracker.attach(request_id, after)

    async def cancel(self, request_id: str) -> str:
        """UNKNOWN, a terminal state, or PENDING. Raises StoreUnavailable."""
        return await answered(self._ledger.cancel(request_id))

    async def view(self, request_id: str) -> RequestView | None:
        """The request's record, or None."""
        views = await self._views([request_id])
        return views[0] if views else None

    async def requests(self, limit: int) -> list[RequestView]:
        """Running and queued requests, at most `limit`."""
        queued: Any = await answered(self._store.zrange(keys.QUEUE, 0, limit - 1))
        held = [r for node in self.fleet.nodes.values() for r in sorted(node.inflight)]
        return await self._views([*held, *map(text, queued)][:limit])

    async def queue(self, limit: int) -> Queue:
        """What waits for a board, the first `limit` of it in detail."""
        queue = await answered(read_queue(self._store, limit))
        first = tuple(replace(each, view=self._placed(each.view)) for each in queue.first)
        return replace(queue, first=first)

    def decisions(self, limit: int, request_id: str = "") -> Told:
        """The last decisions, the newest first; of one request, where it is named."""
        return self.forecast.decisions(limit, request_id)

    async def standing(self, request_id: str) -> Standing | None:
        """Where a request stands in the queue; None: it does not wait, or the store is away."""
        if self.forecast.knows:
            return self.forecast.standing(request_id)
        try:
            rank: Any = await self._store.zrank(keys.QUEUE, request_id)
        except RedisError:
            return None
        return None if rank is None else Standing(int(rank))

    async def _views(self, request_ids: list[str]) -> list[RequestView]:
        return [*map(self._placed, await answered(read_views(self._store, request_ids)))]

    def _placed(self, view: RequestView) -> RequestView:
        """With its place in the plan, where it has one and the plan is made here."""
        if view.queue_position is None or (at := self.forecast.standing(view.request_id)) is None:
            return view
        return replace(
            view, queue_position=at.position, planned_node=at.node, estimated_start_s=at.start_s
        )
