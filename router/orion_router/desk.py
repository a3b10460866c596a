"""The desk: what the gateway talks to. Submit, follow, cancel and look at requests."""

from __future__ import annotations

import logging
import time
from typing import Any

import anyio
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.config import ClusterConfig
from orion_contracts.errors import (
    LedgerRefused,
    NoNodeEligible,
    QueueFull,
    StoreUnavailable,
    UnknownModel,
)
from orion_contracts.ledger import Admission, Ledger, is_lasting
from orion_contracts.ledger.calls import fingerprint
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import Meta, describe
from orion_contracts.spelling import text
from orion_router.events import Event, read_event
from orion_router.fleet import Fleet
from orion_router.follower import Follower
from orion_router.planner import Planner
from orion_router.policy import Waiting
from orion_router.postbox import Mailbox
from orion_router.records import TERMINAL, Queue, RequestView, answered, read_queue, read_views
from orion_router.refusals import AnswerExpired, IdReused, UnknownRequest
from orion_router.store_words import reason, trouble
from orion_router.watch import Watch

log = logging.getLogger(__name__)

QUIET_CHECK_S = 5.0
"""How often followers that hear nothing are compared with the durable stream."""


class Desk:
    """One router's requests over HTTP: admits straight into the ledger, follows by mailbox."""

    def __init__(
        self, store: Redis, ledger: Ledger, watch: Watch, planner: Planner, postbox: Mailbox
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._watch = watch
        self._planner = planner
        self._postbox = postbox
        self._gaps: set[Follower] = set()
        self._gap = anyio.Event()

    @property
    def fleet(self) -> Fleet:
        """The boards as last seen."""
        return self._watch.fleet

    @property
    def config(self) -> ClusterConfig:
        """The configuration in force."""
        return self._watch.config

    @property
    def config_error(self) -> str:
        """Why the newest configuration is not in force; empty when it is."""
        return self._watch.config_error

    async def submit(
        self, request: InferenceRequest, *, mark: str = "", follow: bool = True
    ) -> Follower:
        """Admit the request, in one step with its dispatch where a slot is free, and follow it.

        An id seen before with the same `mark` attaches to that request, from its beginning.
        Raises UnknownModel, NoNodeEligible, QueueFull, IdReused, LedgerRefused and
        StoreUnavailable.
        """
        body = orjson.dumps(request.to_wire())
        mark = mark or fingerprint(body)
        meta = describe(request)
        follower = self._follower(request.request_id)
        try:
            self._refuse_hopeless(request.model)
            admission = await self._admit(request, body, meta, mark, follow)
        except BaseException as error:
            follower.close()
            if is_lasting(error):
                log.warning("request %s: the ledger cannot take it: %s", request.request_id, error)
                raise LedgerRefused(reason(error)) from error
            if isinstance(error, RedisError):
                raise StoreUnavailable(trouble(error)) from error
            if isinstance(error, UnknownModel | NoNodeEligible):
                return await self._earlier(request.request_id, mark, error)
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
        if admission.state == "REJECTED":
            follower.close()
            raise QueueFull(f"the queue is full ({admission.detail}); try again later")
        return follower

    def _refuse_hopeless(self, model: str) -> None:
        fleet = self._watch.fleet
        if not fleet.knows(model):
            raise UnknownModel(model)
        if self.config.routing.when_no_node_eligible == "Reject" and not fleet.eligible:
            raise NoNodeEligible("no board may take work now (too hot, out of memory or gone)")

    async def _earlier(self, request_id: str, mark: str, error: Exception) -> Follower:
        """What would be refused now may have been accepted before: its answer counts."""
        views = await self._views([request_id])
        if views and views[0].fingerprint == mark:
            return await self.attach(request_id)
        raise error

    async def _admit(
        self, request: InferenceRequest, body: bytes, meta: Meta, mark: str, follow: bool
    ) -> Admission:
        planner, backlog = self._planner, self._planner.backlog
        decision = planner.place(meta)
        if decision is not None:
            backlog.hold(decision.node, request.request_id, request.model)
        routing = self.config.routing
        try:
            admission = await self._ledger.admit(
                request,
                body,
                meta.to_bytes(),
                mailbox=self._postbox.key if follow else "",
                mark=mark,
                max_requests=routing.max_queue_requests,
                max_bytes=routing.max_queue_bytes,
                node=decision.node if decision else "",
                epoch=planner.lease.epoch,
                depth=decision.depth if decision else 0,
            )
        except BaseException:
            if decision is not None:
                backlog.forget(request.request_id)
            raise
        if admission.state == "ASSIGNED" and decision is not None:
            planner.note(decision)
        elif admission.state == "NEW":
            self._enqueue(request.request_id, meta)
        elif decision is not None:
            backlog.forget(request.request_id)
        return admission

    def _enqueue(self, request_id: str, meta: Meta) -> None:
        planner = self._planner
        if planner.lease.held:  # spare the planner its look into the ledger
            now_s = time.monotonic()
            score = (0 if meta.priority == "interactive" else 1) * 1e13 + time.time() * 1000
            planner.backlog.enqueue(Waiting(request_id, meta, score, now_s))
            planner.wake()

    def _follower(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Follower:
        follower = Follower(request_id, after, self._close, self._on_gap)
        self._postbox.add(follower)
        return follower

    def _close(self, follower: Follower) -> None:
        self._postbox.remove(follower)
        self._gaps.discard(follower)

    def _on_gap(self, follower: Follower) -> None:
        self._gaps.add(follower)
        self._gap.set()

    async def attach(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Follower:
        """Follow a running or finished request, from after the given (attempt, seq)."""
        follower = self._follower(request_id, after)
        try:
            attached = await self._ledger.attach(request_id, self._postbox.key)
            if not attached.known:
                raise UnknownRequest(f"no request {request_id} is known", "request_id")
            await self._replay(follower)
            if attached.state in TERMINAL and follower.final is None:
                await self._replay(follower)  # written between the two calls, or gone
                if follower.final is None:
                    raise AnswerExpired(
                        "this request is over and its answer, kept for an hour, is gone; "
                        "use a new request id or Idempotency-Key", "request_id",
                    )  # fmt: skip
        except BaseException as error:
            follower.close()
            if isinstance(error, RedisError):
                raise StoreUnavailable(trouble(error)) from error
            raise
        return follower

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
        return await answered(read_queue(self._store, limit))

    async def _views(self, request_ids: list[str]) -> list[RequestView]:
        return await answered(read_views(self._store, request_ids))

    async def _replay(self, follower: Follower) -> None:
        attempt, seq = follower.last
        entries: Any = await self._store.xrange(
            keys.responses(follower.request_id), min=f"({attempt}-{seq}" if attempt else "-"
        )
        events: list[Event] = []
        for _, fields in entries:
            event = read_event(fields.get(b"type", b""), fields.get(b"payload", b""))
            if event is not None:
                events.append(event)
        follower.replay(events)

    async def mend(self) -> None:
        """Fill gaps at once and look after quiet followers now and then, until cancelled."""
        while True:
            with anyio.move_on_after(QUIET_CHECK_S):
                await self._gap.wait()
            self._gap = anyio.Event()
            try:
                for follower in list(self._gaps or self._postbox.open_followers()):
                    await self._replay(follower)
                    self._gaps.discard(follower)
            except RedisError as error:
                log.warning("desk: the store does not answer: %s", error)
                await anyio.sleep(0.5)
