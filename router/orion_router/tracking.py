"""Following requests: by mailbox, mended from the durable stream where something is missing."""

from __future__ import annotations

import logging
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys
from orion_contracts.errors import StoreUnavailable
from orion_contracts.ledger import Ledger, is_lasting
from orion_router.events import Event, read_event
from orion_router.follower import Follower
from orion_router.postbox import Mailbox
from orion_router.records import TERMINAL
from orion_router.refusals import AnswerExpired, UnknownRequest
from orion_router.store_words import trouble

log = logging.getLogger(__name__)

QUIET_CHECK_S = 5.0
"""How often followers that hear nothing are compared with the durable stream."""


class Tracker:
    """All followers of one router."""

    def __init__(self, store: Redis, ledger: Ledger, postbox: Mailbox) -> None:
        self._store, self._ledger, self._postbox = store, ledger, postbox
        self._gaps: set[Follower] = set()
        self._gap = anyio.Event()

    def follow(self, request_id: str, after: tuple[int, int] = (0, 0)) -> Follower:
        """A follower that hears what comes from now on."""
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
        follower = self.follow(request_id, after)
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
                    await self._mend(follower)
                    self._gaps.discard(follower)
            except RedisError as error:
                log.warning("tracker: the store does not answer: %s", error)
                await anyio.sleep(0.5)

    async def _mend(self, follower: Follower) -> None:
        try:
            await self._replay(follower)
        except RedisError as error:
            if not is_lasting(error):
                raise
            # Somebody put something else in the place of its stream: the others are looked after.
            log.warning("request %s cannot be replayed: %s", follower.request_id, error)
