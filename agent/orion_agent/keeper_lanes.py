"""The keeper's lanes: in each, one step at a time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from orion_agent.keeper_plan import Step
from orion_agent.keeper_tries import Tries
from orion_contracts.errors import EngineError

logger = logging.getLogger("orion.worker.keeper")


class Lanes:
    """`do` carries a step out; `changed` is called at the end of each."""

    def __init__(
        self, tries: Tries, do: Callable[[Step], Awaitable[None]], changed: Callable[[], None]
    ) -> None:
        self._tries, self._do, self._changed = tries, do, changed
        self._running: dict[str, tuple[Step, anyio.CancelScope]] = {}

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._running)

    def step(self, lane: str) -> Step | None:
        """What runs there."""
        return self._running[lane][0] if lane in self._running else None

    def call_off(self, lane: str, why: str) -> None:
        """End what runs there; it is no failure."""
        step, scope = self._running[lane]
        logger.info("%s of %s ends: %s", step.kind, step.name, why)
        scope.cancel()

    def begin(self, tasks: TaskGroup, lane: str, step: Step) -> None:
        """Carry it out in a task of its own."""
        scope = anyio.CancelScope()
        self._running[lane] = (step, scope)

        async def work() -> None:
            try:
                with scope:
                    await self._try(lane, step)
            finally:
                del self._running[lane]
                self._changed()

        tasks.start_soon(work, name=f"keeper {step.kind} {step.name}"[:120])

    async def _try(self, lane: str, step: Step) -> None:
        logger.info("%s %s: %s", step.kind, step.name, step.why)
        try:
            await self._do(step)
        except EngineError as error:
            why = str(error)
        except Exception as error:
            logger.exception("%s of %s failed", step.kind, step.name)
            why = f"the worker failed: {error}"
        else:
            self._tries.worked(lane, step.name)
            return
        pause_s = self._tries.failed(lane, step.name, why)
        logger.warning("%s of %s failed, again in %.0f s: %s", step.kind, step.name, pause_s, why)
