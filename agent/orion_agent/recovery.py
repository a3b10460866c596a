"""An engine that refused, crashed or hung gets no work until it has shown that it works again.

Told before the failed request goes back to the queue: otherwise the planner, which sees a free
board with the model resident, would send it straight back.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from orion_agent.engine import Engine
from orion_agent.reporter import Reporter
from orion_agent.slots import Slots
from orion_agent.view import EngineView
from orion_contracts.errors import EngineCrashed, EngineError, EngineRefused, EngineStalled

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
LOOK_S = 1.0
logger = logging.getLogger("orion.worker.recovery")


class Recovery:
    """Closes the slots on a failure and opens them when the engine answers."""

    def __init__(
        self, engine: Engine, view: EngineView, slots: Slots, reporter: Reporter, tasks: TaskGroup,
        mark: str = "",
    ) -> None:  # fmt: skip
        """`mark`: a file that exists while the engine hangs, for whoever can restart it."""
        self._engine, self._view, self._slots = engine, view, slots
        self._reporter, self._tasks = reporter, tasks
        self._refusals = 0
        self._mark = Path(mark) if mark else None
        self._set_mark(hangs=False)  # one of an earlier life

    def worked(self) -> None:
        """A request came to a good end."""
        self._refusals = 0

    async def before_release(self, error: Exception, model: str) -> None:
        """Look at the engine, close the slots where it is in no state to work, say so."""
        match error:
            case EngineStalled():
                self._hung(model)
            case EngineRefused() if error.status:
                self._busy(error)
            case EngineRefused() | EngineCrashed():
                await self._reporter.look(LOOK_S)
                if not self._view.reachable:
                    self._unreachable()
            case _:
                return
        await self._reporter.publish()

    def _hung(self, model: str) -> None:
        if self._view.wedged:
            return
        logger.error("Ollama hangs with %s: no new work until it answers a probe", model)
        self._view.wedged = True
        self._set_mark(hangs=True)
        self._slots.close("wedged")
        self._tasks.start_soon(self._probe, model, name="probe")

    async def _probe(self, model: str) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._engine.probe(model)
                break
            except EngineError as error:
                logger.warning("Ollama still hangs: %s", error)
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        logger.info("Ollama answers again")
        self._view.wedged = False
        self._set_mark(hangs=False)
        await self._reopen("wedged")

    def _set_mark(self, *, hangs: bool) -> None:
        if self._mark is None:
            return
        with contextlib.suppress(OSError):  # the engine is then only not restarted
            if hangs:
                self._mark.touch()
            else:
                self._mark.unlink(missing_ok=True)

    def _busy(self, error: EngineRefused) -> None:
        pause_s = min(FIRST_PAUSE_S * 2**self._refusals, LONGEST_PAUSE_S)
        self._refusals += 1
        self._view.refuses(str(error))
        self._slots.close("busy")
        self._tasks.start_soon(self._wait_busy, self._refusals, pause_s, name="busy")

    async def _wait_busy(self, which: int, pause_s: float) -> None:
        await anyio.sleep(pause_s)
        if which == self._refusals or self._refusals == 0:
            self._view.refuses("")
            await self._reopen("busy")

    def _unreachable(self) -> None:
        self._slots.close("unreachable")
        self._tasks.start_soon(self._wait_reachable, name="reconnect")

    async def _wait_reachable(self) -> None:
        while not self._view.reachable:
            await anyio.sleep(FIRST_PAUSE_S)
            await self._reporter.look()
        await self._reopen("unreachable")

    async def _reopen(self, reason: str) -> None:
        await self._reporter.look()
        await self._reporter.publish()
        self._slots.open(reason)
