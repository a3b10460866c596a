"""The worker: everything that runs, in two nested task groups, and the stages of its end.

The inner group (reports, inbox) ends when the worker is told to stop; the outer one (running
requests, loads) gets the grace period. Then what is left goes back to the queue, unharmed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import orjson
from anyio.abc import TaskGroup

from orion_agent import direct
from orion_agent.entries import Doorbell
from orion_agent.farewell import Farewell
from orion_agent.inbox import Inbox
from orion_agent.loader import Loader
from orion_agent.parts import Parts
from orion_agent.recovery import Recovery
from orion_agent.runner import Attempt
from orion_agent.tools import Outcome, Tools
from orion_contracts.ledger import DirectEntry, FailureKind, Started
from orion_contracts.messages import InferenceRequest
from orion_contracts.store import check_store

TICK_S = 1.0
logger = logging.getLogger("orion.worker")


class Worker:
    """One board's worker. `run` returns when `stop` was called and everything is handed over."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._stop, self._hurry = anyio.Event(), anyio.Event()
        self._tasks: TaskGroup | None = None
        self._tools: Tools | None = None
        self._recovery: Recovery | None = None
        self.enlisted = False

    def stop(self) -> None:
        """Finish what fits into the grace period; called again: now."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    async def run(self) -> None:
        """Live: enlist, serve until stopped, hand over."""
        parts = self._p
        farewell = Farewell(parts)
        async with anyio.create_task_group() as work:
            self._assemble(work)
            inbox = Inbox(
                parts.reads, parts.ledger, parts.patience, parts.who.node, parts.slots, self,
                self._enlist,
            )  # fmt: skip
            async with anyio.create_task_group() as intake:
                intake.start_soon(self._until_stopped, intake, name="stop")
                intake.start_soon(self._tick, name="tick")
                intake.start_soon(parts.reporter.look_forever, name="engine")
                await self._begin()
                intake.start_soon(parts.reporter.report_forever, name="reporter")
                intake.start_soon(inbox.run, name="inbox")
            work.start_soon(self._tick, name="tick")
            with anyio.move_on_after(parts.settings.shutdown_grace_s):
                if self.enlisted:
                    await farewell.announce(inbox)
                await self._empty_or_hurried()
            work.cancel_scope.cancel()
        if self.enlisted:
            await farewell.leave()

    def _assemble(self, work: TaskGroup) -> None:
        p, s = self._p, self._p.settings
        loader = Loader(
            p.engine, p.view, p.rates, work, s.stall_prefill_s + s.health_interval_s,
            p.reporter.nudge,
        )  # fmt: skip
        self._tasks = work
        self._recovery = Recovery(p.engine, p.view, p.slots, p.reporter, work)
        self._tools = Tools(
            p.who.node, p.ledger, p.patience, p.engine, loader, p.view, p.rates,
            s.stall_prefill_s, s.stall_token_s, s.coalesce_ms / 1000,
            self._recovery.before_release,
        )  # fmt: skip

    async def _begin(self) -> None:
        """Nothing is taken before the previous incarnation's work was given back."""
        p = self._p
        logger.info("store: version %s", await p.patience.insist(lambda: check_store(p.store)))
        await p.patience.library()
        await self._enlist()
        p.beat.start()
        self.enlisted = True

    async def _enlist(self) -> None:
        p = self._p
        released = await p.patience.insist(lambda: p.ledger.enlist(p.who.node, p.who.incarnation))
        await Farewell(p).unmark()
        logger.info("enlisted as %s (%s), %d requests of an earlier life given back",
                    p.who.node, p.who.incarnation, released)  # fmt: skip

    async def _until_stopped(self, intake: TaskGroup) -> None:
        await self._stop.wait()
        intake.cancel_scope.cancel()

    async def _empty_or_hurried(self) -> None:
        async with anyio.create_task_group() as either:

            async def hurried() -> None:
                await self._hurry.wait()
                either.cancel_scope.cancel()

            either.start_soon(hurried)
            await self._p.slots.wait_empty()
            either.cancel_scope.cancel()

    async def _tick(self) -> None:
        while True:
            self._p.beat.tick()
            await anyio.sleep(TICK_S)

    # --- what the inbox hands over -------------------------------------------------------------

    def may_run_direct(self) -> bool:
        """Whether the board's own health gates are open."""
        reporter = self._p.reporter
        return not (reporter.gates.reasons or reporter.draining) and self._p.view.reachable

    def ring(self, entry: str, bell: Doorbell) -> None:
        """Start what a doorbell announced."""
        self._hold(entry)
        assert self._tasks is not None
        self._tasks.start_soon(self._serve_bell, entry, bell, name=f"run {bell.request_id}")

    def take(self, entry: DirectEntry, request: InferenceRequest, raw: bytes) -> None:
        """Run a request that came straight here."""
        self._hold(entry.entry)
        assert self._tasks is not None
        name = f"run {request.request_id}"
        self._tasks.start_soon(self._serve_direct, entry, request, raw, name=name)

    def _hold(self, entry: str) -> None:
        self._p.slots.take(entry)
        self._p.beat.poke()
        self._p.reporter.nudge()

    async def _serve_bell(self, entry: str, bell: Doorbell) -> None:
        p = self._p
        async with self._in_slot(entry, bell.request_id):
            started = await p.patience.insist(
                lambda: p.ledger.start(p.who.node, entry, *bell, p.who.incarnation)
            )
            if started is not None:
                await self._attempt(bell.request_id, None, started)

    async def _serve_direct(
        self, entry: DirectEntry, request: InferenceRequest, raw: bytes
    ) -> None:
        p = self._p
        async with self._in_slot(entry.entry, request.request_id):
            started = await p.patience.insist(
                lambda: direct.take(p.ledger, p.who.node, p.who.incarnation, entry, request, raw)
            )
            if started is not None:
                await self._attempt(request.request_id, request, started)

    @asynccontextmanager
    async def _in_slot(self, entry: str, request_id: str) -> AsyncGenerator[None]:
        try:
            yield
        except Exception:
            logger.exception("request %s: the worker failed", request_id)
        finally:
            self._p.slots.give_back(entry)
            self._p.reporter.nudge()

    async def _attempt(
        self, request_id: str, request: InferenceRequest | None, started: Started
    ) -> None:
        assert self._tools is not None
        p, begun_s = self._p, time.monotonic()
        try:
            request = request or InferenceRequest.from_wire(orjson.loads(started.body))
            outcome = await Attempt(self._tools, request, started).run()
        except Exception as error:
            # A fault of ours that this request brings out: counted, so that it ends some day.
            why = f"the worker failed: {error}"
            await p.patience.insist(
                lambda: p.ledger.release(request_id, started.token, FailureKind.CRASH, why)
            )
            raise
        self._count(request, outcome, time.monotonic() - begun_s)

    def _count(self, request: InferenceRequest, outcome: Outcome, seconds: float) -> None:
        self._p.metrics.ended(outcome, seconds)
        if outcome.word == "completed" and self._recovery:
            self._recovery.worked()
        why = f" ({outcome.error})" if outcome.error else ""
        logger.log(logging.INFO if why else logging.DEBUG, "request %s on %s: %s after %.2f s%s",
                   request.request_id, request.model, outcome.word, seconds, why)  # fmt: skip
