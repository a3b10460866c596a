"""All parts of one router, wired."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts.errors import StoreUnavailable
from orion_contracts.ledger import LeaseTimes, Ledger, ensure_library
from orion_contracts.store import check_store, connect
from orion_router.desk import Desk
from orion_router.intake import Intake
from orion_router.learned_documents import documents
from orion_router.learned_store import LearnedStore
from orion_router.planner import Planner
from orion_router.postbox import Mailbox
from orion_router.settings import Settings
from orion_router.strays import Strays
from orion_router.upkeep import Upkeep
from orion_router.vitals import Vitals
from orion_router.watch import Watch

log = logging.getLogger(__name__)


class Parts:
    """The router without its HTTP server."""

    def __init__(self, settings: Settings, open_store: Callable[[], Redis] | None = None) -> None:
        self.settings = settings
        open_store = open_store or self._connect
        self.store = open_store()
        self._blocking_stores = [open_store() for _ in range(3)]
        self._times = LeaseTimes(assign_ms=settings.assign_lease_ms, run_ms=settings.run_lease_ms)
        self.ledger = Ledger(self.store, self._times)
        me = settings.router_id
        self.watch = Watch(self.store, me, self._changed)
        # The lease is held by this life of the router, not by its name: two of one name never both.
        life = f"{me}/{secrets.token_hex(4)}"
        self.planner = Planner(self._blocking_stores[0], self.ledger, life, self.watch)
        self.learned = LearnedStore(self.store, self.planner.lease)
        self.learned.documents = lambda: documents(self.planner.learner, self.watch.fleet.nodes)
        self.planner.on_held = self.learned.take_over
        self.postbox = Mailbox(self._blocking_stores[1], me, self.planner.ring)
        self.desk = Desk(self.store, self.ledger, self.watch, self.planner, self.postbox)
        self.intake = Intake(
            self._blocking_stores[2], self.ledger, me, self.watch, self.planner, settings.limits,
            self.desk.naming,
        )  # fmt: skip
        self.upkeep = Upkeep(self.ledger, self.planner.lease)
        self.strays = Strays(self.store, self.intake, self.watch, self.planner.lease)
        self.vitals = Vitals(self.store)

    def _connect(self) -> Redis:
        s = self.settings
        return connect(s.redis_addr, s.redis_password, s.redis_username)

    def _changed(self) -> None:
        deadline_s = self.watch.config.routing.default_deadline_s
        backstop_ms = self._times.backstop_ms if deadline_s is None else round(deadline_s * 1000)
        self.ledger.times = replace(self._times, backstop_ms=backstop_ms)
        self.planner.looked()
        self.desk.forecast.refresh()
        planner = self.planner
        self.desk.canary.look(planner.learner.rates, self.watch.fleet, planner.lease.held)

    async def _prepare(self) -> None:
        """Wait for a usable store; refuse one that cannot keep the promise (Misconfigured)."""
        while True:
            try:
                self.vitals.store_version = await check_store(self.store)
                await ensure_library(self.store)
                await self.intake.ensure_group()
                await self.postbox.open()
                return
            except (StoreUnavailable, RedisError) as error:
                self.vitals.note(str(error))
                await anyio.sleep(0.5)

    async def run(self) -> None:
        """Everything that runs, until cancelled."""
        await self._prepare()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.watch.run, name="watch")
            tasks.start_soon(self.postbox.run, name="postbox")
            tasks.start_soon(self.postbox.beat, name="postbox beat")
            tasks.start_soon(self.vitals.run, name="vitals")
            await self.watch.seen_once.wait()
            self.vitals.note("")
            tasks.start_soon(self.planner.lease.run, name="planner lease")
            tasks.start_soon(self.planner.run, name="planner")
            tasks.start_soon(self.learned.run, name="learned")
            tasks.start_soon(self.upkeep.run, name="upkeep")
            tasks.start_soon(self.strays.run, name="strays")
            tasks.start_soon(self.desk.tracker.mend, name="tracker")
            tasks.start_soon(self.intake.run, name="intake")

    async def close(self) -> None:
        """Give the lease up and close the connections."""
        with anyio.move_on_after(2, shield=True):
            try:
                await self.planner.lease.resign()
            except RedisError as error:
                log.warning("could not resign: %s", error)
            for store in (self.store, *self._blocking_stores):
                await store.aclose()


@asynccontextmanager
async def running(
    settings: Settings, open_store: Callable[[], Redis] | None = None
) -> AsyncGenerator[Parts]:
    """A router at work for as long as the block lasts."""
    parts = Parts(settings, open_store)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parts.run, name="router")
            try:
                yield parts
            finally:
                tasks.cancel_scope.cancel()
    finally:
        await parts.close()
