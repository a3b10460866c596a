"""Carries out one step of the keeper's plan. Raises EngineError where the engine fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from orion_agent import stall
from orion_agent.engine import Engine
from orion_agent.keeper_depot import Depot
from orion_agent.keeper_facts import keep_alive_s
from orion_agent.keeper_names import canonical
from orion_agent.keeper_plan import Step
from orion_agent.keeper_pull import SILENT_S, Pull
from orion_agent.loader import MIN_KEEP_ALIVE_S, Loader
from orion_agent.reporter import Reporter
from orion_agent.sharing import Sharing
from orion_agent.sharing_fetch import CopyFailed
from orion_agent.sharing_plan import Copy
from orion_agent.view import EngineView
from orion_contracts.config import ModelConfig
from orion_contracts.errors import EngineCrashed, EngineRejected, EngineStalled
from orion_contracts.messages import InferenceRequest, Operation
from orion_contracts.stamp import iso_now

GONE_WITHIN_S, LOOK_S = 20.0, 0.25


@dataclass
class Hands:
    """What the steps need. `pull`: the one that runs, for the report."""

    node: str
    engine: Engine
    view: EngineView
    loader: Loader
    reporter: Reporter
    depot: Callable[[], Depot]
    reserve_bytes: int
    silent_s: float = SILENT_S
    sharing: Sharing | None = None
    pull: Pull | None = None

    async def do(self, step: Step) -> None:
        """Carry it out, and look at what has become of it."""
        match step.kind, step.model:
            case "pull", _ if step.copy is not None:
                await self._copy(step.name, step.copy)
            case "pull", _:
                await self._pull(step.name)
            case "delete", _:
                await self.depot().delete(step.name)
            case "unload", _:
                await self.unload(step.name)
            case "load", ModelConfig() as model:
                await self._load(model)
            case "touch", ModelConfig() as model:
                await self._touch(model)
            case kind, None:
                raise AssertionError(f"{kind} is of an assigned model")
        await self.reporter.look(disk=step.kind in ("pull", "delete"))

    async def _copy(self, name: str, copy: Copy) -> None:
        """From another board: our Ollama pulls by a name that lives only as long as this."""
        if self.sharing is None:  # pragma: no cover - without it there are no copies
            raise CopyFailed("model sharing is off")
        async with self.sharing.ticket(name, copy) as reference:
            await self._pull(reference, copy.peer.name)
            listed = reference.removeprefix("http://")
            await self.depot().copy(listed, name)
            await self.depot().delete(listed)

    async def _pull(self, name: str, board: str = "") -> None:
        pull = Pull(self.depot(), name, self._disk_free, self.reserve_bytes, self.silent_s, board)
        self.pull = pull
        self.reporter.nudge()
        try:
            await pull.run()
        finally:
            self.pull = None
            self.reporter.nudge()

    def _disk_free(self) -> int | None:
        return self.reporter.sample.disk_free_bytes

    async def unload(self, name: str) -> None:
        """Return when it has left memory."""
        await self.depot().unload(name)
        with anyio.move_on_after(GONE_WITHIN_S):
            while True:
                await self.reporter.look()
                if all(canonical(m.name) != name for m in self.view.resident):
                    await self.reporter.sense()
                    return
                await anyio.sleep(LOOK_S)
        raise EngineStalled(f"{name} is still in memory {GONE_WITHIN_S:g} s after it was to leave")

    async def _load(self, model: ModelConfig) -> None:
        request = self.request(model)
        meter = self.reporter.meter
        draw = meter.begin("loading", time.monotonic())
        try:
            await self.loader.ensure(request)
        except EngineRejected as error:
            if "does not support" not in str(error):
                raise
            await self.loader.ensure(self.request(model, "embed"))  # old engines do not list it
        finally:
            meter.end(draw, time.monotonic())

    async def _touch(self, model: ModelConfig) -> None:
        """An empty request: the engine keeps it for as long as that says."""
        request = self.request(model)
        budget_s = stall.load_budget_s(self.view.size_bytes(canonical(model.name)))
        try:
            with anyio.fail_after(budget_s):
                await self.engine.load(request, request.keep_alive_seconds)
        except TimeoutError:
            raise EngineStalled(f"Ollama did not answer about {model.name}") from None

    def request(self, model: ModelConfig, operation: Operation | None = None) -> InferenceRequest:
        """The request that loads it as the requests of clients will want it."""
        name = canonical(model.name)
        disk = next((m for m in self.view.models if canonical(m.name) == name), None)
        if disk is None:
            raise EngineCrashed(f"{model.name} is not on disk any more")
        embeds = "embedding" in disk.capabilities and "completion" not in disk.capabilities
        context = model.context_length
        return InferenceRequest(
            request_id="", model=name, messages=(), timestamp=iso_now(),
            source=f"orion-inference-worker/{self.node}",
            operation=operation or ("embed" if embeds else "generate"),
            options={"num_ctx": context} if context else None,
            keep_alive_seconds=max(keep_alive_s(model), MIN_KEEP_ALIVE_S),
        )  # fmt: skip
