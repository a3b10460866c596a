"""Cold loads: one at a time, each for all who wait for it, none aborted by a client that leaves.

Ollama aborts a load when the connection that asked for it closes. So the load is asked for by a
task of its own, with an empty request; the requests wait for that task.
"""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from orion_agent.contexts import Load, asked_context
from orion_agent.engine import Engine, load_options
from orion_agent.rates import Rates
from orion_agent.stall import load_budget_s
from orion_agent.view import EngineView, normal
from orion_contracts.errors import EngineError, EngineStalled
from orion_contracts.messages import InferenceRequest

MIN_KEEP_ALIVE_S = 60
"""An empty request with keep-alive 0 would unload the model instead of loading it."""
WATCH_S = 1.0
logger = logging.getLogger("orion.worker.loader")


class _Load:
    def __init__(self) -> None:
        self.done = anyio.Event()
        self.error: EngineError | None = None


class Loader:
    """Makes models resident before requests run."""

    def __init__(
        self,
        engine: Engine,
        view: EngineView,
        rates: Rates,
        tasks: TaskGroup,
        silence_s: float,
        changed: Callable[[], None],
        make_room: Callable[[InferenceRequest], Awaitable[None]] | None = None,
    ) -> None:
        self._engine, self._view, self._rates = engine, view, rates
        self._tasks = tasks
        self._silence_s = silence_s
        self._changed = changed
        self.make_room = make_room
        """Awaited before each load."""
        self._loads: dict[str, _Load] = {}
        self._one = anyio.Lock()
        view.contexts.learn = rates.learn_load

    def budget_s(self, request: InferenceRequest) -> float:
        """Seconds that this request may wait for its model, others' loads before it included."""
        name = normal(request.model)
        known = self._rates.to_wire().get(name, {}).get("load_s", 0.0)
        one = load_budget_s(self._view.size_bytes(name), known)
        return one * (1 + len(self._loads))

    async def ensure(self, request: InferenceRequest) -> float:
        """Return when the model is resident, with the seconds waited. Raises the load's error."""
        if self._view.is_resident(request):
            return 0.0
        started = time.monotonic()
        options = json.dumps(load_options(request), sort_keys=True, default=str)
        key = f"{normal(request.model)} {request.operation} {options}"
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = _Load()
            self._tasks.start_soon(self._load, key, load, request, name=f"load {key}"[:120])
        await load.done.wait()
        if load.error is not None:
            raise copy.copy(load.error) from load.error
        return time.monotonic() - started

    async def _load(self, key: str, load: _Load, request: InferenceRequest) -> None:
        try:
            async with self._one:
                if not self._view.is_resident(request):
                    await self._run(request)
        except EngineError as error:
            load.error = error
        finally:
            self._loads.pop(key, None)
            load.done.set()

    async def _run(self, request: InferenceRequest) -> None:
        name = normal(request.model)
        budget_s = load_budget_s(self._view.size_bytes(name))
        held = self._view.held(name)
        before = (held.context_length or None) if held else 0
        if not self._view.reachable:
            before = None
        started = time.monotonic()
        self._view.loading.add(name)
        self._changed()
        try:
            if self.make_room is not None:
                await self.make_room(request)
            await self._guarded(request, budget_s)
        finally:
            self._view.loading.discard(name)
            self._changed()
        took_s = time.monotonic() - started
        self._view.loaded(request, Load(asked_context(request), before, took_s))
        logger.info("loaded %s in %.1f s", name, took_s)

    async def _guarded(self, request: InferenceRequest, budget_s: float) -> None:
        """Run the load until it is done, takes too long, or the whole engine stops answering."""
        deadline = time.monotonic() + budget_s
        keep_alive_s = max(request.keep_alive_seconds, MIN_KEEP_ALIVE_S)
        stalled = False
        failure: EngineError | None = None
        async with anyio.create_task_group() as both:

            async def watch() -> None:
                nonlocal stalled
                quiet_from = time.monotonic()
                while not stalled:
                    await anyio.sleep(min(WATCH_S, self._silence_s / 4))
                    now = time.monotonic()
                    heard = max(quiet_from, self._view.answered_s)
                    stalled = now > deadline or now - heard > self._silence_s
                both.cancel_scope.cancel()

            both.start_soon(watch)
            try:
                await self._engine.load(request, keep_alive_s)
            except EngineError as error:
                failure = error
            both.cancel_scope.cancel()
        if stalled:
            raise EngineStalled(f"Ollama did not finish loading {request.model}")
        if failure is not None:
            raise failure
