"""The worker: everything that runs, in two nested task groups, and the stages of its end.

The inner group (reports, inbox) ends when the worker is told to stop; the outer one (running
requests, loads) gets the grace period. Then what is left goes back to the queue, unharmed.
"""

from __future__ import annotations

import logging

import anyio
from anyio.abc import TaskGroup

from orion_agent.farewell import Farewell
from orion_agent.inbox import Inbox
from orion_agent.keeper import Keeper
from orion_agent.loader import Loader
from orion_agent.parts import Parts
from orion_agent.recovery import Recovery
from orion_agent.runs import Runs
from orion_agent.settler import Settler
from orion_agent.tools import Tools
from orion_contracts.store import check_store

TICK_S = 1.0
logger = logging.getLogger("orion.worker")


class Worker:
    """One board's worker. `run` returns when `stop` was called and everything is handed over."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._stop, self._hurry = anyio.Event(), anyio.Event()
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
            node, limits = parts.who.node, parts.settings.limits
            settler = Settler(
                parts.store, parts.ledger, parts.patience, node, limits,
                lambda: parts.reporter.prefix_key,
            )  # fmt: skip
            runs, keeper = self._assemble(work, settler)
            inbox = Inbox(parts.reads, settler, node, parts.slots, runs, self._enlist, limits)
            async with anyio.create_task_group() as intake:
                intake.start_soon(self._until_stopped, intake, name="stop")
                intake.start_soon(self._tick, name="tick")
                intake.start_soon(parts.reporter.look_forever, name="engine")
                await self._begin()
                intake.start_soon(parts.reporter.report_forever, name="reporter")
                intake.start_soon(inbox.run, name="inbox")
                intake.start_soon(keeper.run, name="keeper")
            work.start_soon(self._tick, name="tick")
            with anyio.move_on_after(parts.settings.shutdown_grace_s):
                if self.enlisted:
                    await farewell.announce(inbox)
                await self._empty_or_hurried()
            work.cancel_scope.cancel()
        if self.enlisted:
            await farewell.leave()

    def _assemble(self, work: TaskGroup, settler: Settler) -> tuple[Runs, Keeper]:
        p, s = self._p, self._p.settings
        loader = Loader(
            p.engine, p.view, p.rates, work, s.stall_prefill_s + s.health_interval_s,
            p.reporter.nudge,
        )  # fmt: skip
        keeper = Keeper(p, loader)
        loader.make_room = keeper.make_room
        p.reporter.progress = p.underway.report
        recovery = Recovery(p.engine, p.view, p.slots, p.reporter, work, s.wedged_mark)
        tools = Tools(
            p.who.node, p.ledger, p.patience, p.engine, loader, p.view, p.rates,
            p.reporter.meter, s.stall_prefill_s, s.stall_token_s, s.coalesce_ms / 1000,
            recovery.before_release,
        )  # fmt: skip
        return Runs(p, settler, tools, recovery, work), keeper

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
        released = await p.patience.insist(
            lambda: p.ledger.enlist(p.who.node, p.who.incarnation), whatever=True
        )
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
