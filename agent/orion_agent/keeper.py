"""The model keeper: what is placed on this board is on its disk and in its memory.

Two lanes, each with one thing at a time: the disk (pull, delete) and the memory (load, unload).
Every turn decides anew from what is seen; nothing is remembered that could be looked at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio
from anyio.abc import TaskGroup
from redis.exceptions import RedisError

from orion_agent import keeper_book, keeper_plan, keeper_value
from orion_agent.keeper_depot import Depot, OllamaDepot
from orion_agent.keeper_facts import Kept
from orion_agent.keeper_lanes import Lanes
from orion_agent.keeper_names import canonical, problem
from orion_agent.keeper_plan import Step
from orion_agent.keeper_report import Keeping, tell
from orion_agent.keeper_sight import Sight
from orion_agent.keeper_steps import Hands
from orion_agent.keeper_tries import Tries
from orion_agent.loader import Loader
from orion_agent.parts import Parts
from orion_agent.sharing_plan import Source, source
from orion_contracts.config import ModelConfig
from orion_contracts.errors import EngineError
from orion_contracts.messages import InferenceRequest

IDLE_TURN_S, TURN_S = 2.0, 0.5
MAKE_ROOM_S = 30.0
logger = logging.getLogger("orion.worker.keeper")


class Keeper:
    """`run` until cancelled. The parts' reporter knows the configuration and what is seen."""

    def __init__(
        self, parts: Parts, loader: Loader, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._p = parts
        self._depot: Depot | None = None
        self._tries = Tries(clock)
        self._sight = Sight(parts, self._tries, clock)
        self._hands = Hands(
            parts.who.node, parts.engine, parts.view, loader, parts.reporter, self._open_depot,
            self._sight.reserve_bytes, parts.settings.pull_silent_s, parts.sharing,
        )  # fmt: skip
        self._sources: Mapping[str, Source] = {}
        self._avoid: dict[str, set[str]] = {}
        self._lanes = Lanes(self._tries, self._do, parts.reporter.nudge)
        self._book = keeper_book.Book(parts.store, parts.who.node)
        self._once: set[str] = set()
        self._began = False
        self._refused: Mapping[str, str] = {}
        parts.reporter.keeping = self.report

    def _open_depot(self) -> Depot:
        if self._depot is None:
            make = self._p.depot or (lambda: OllamaDepot(self._p.settings.ollama_host))
            self._depot = make()
        return self._depot

    async def run(self) -> None:
        """Turn after turn. Nothing that fails here stops the worker."""
        try:
            async with anyio.create_task_group() as tasks:
                if self._p.sharing is not None:
                    tasks.start_soon(self._p.sharing.announce, name="share")
                while True:
                    try:
                        await self._turn(tasks)
                    except (RedisError, OSError) as error:
                        logger.warning("the keeper's book is out of reach: %s", error)
                    except Exception:
                        logger.exception("the keeper failed; it goes on")
                    await anyio.sleep(TURN_S if self._lanes.busy or self._refused else IDLE_TURN_S)
        finally:
            if self._depot is not None:
                with anyio.move_on_after(0.5, shield=True):
                    await self._depot.aclose()

    async def _turn(self, tasks: TaskGroup) -> None:
        reporter = self._p.reporter
        if not self._p.view.reachable:
            self._once.clear()  # it may come back as a new process, with nothing in memory
        if not (reporter.config_seen and self._p.view.seen):
            return  # without a configuration what was placed stays as it is
        await self._book.read_once()
        self._sources = await self._find_sources()
        facts = self._sight.look(self._book.kept, self._once, self._sources)
        self._began = True
        self._book.kept = keeper_book.after(facts)
        self._once &= set(facts.placed)
        self._tries.keep([*self._book.kept, *facts.resident])
        decided = keeper_plan.plan(facts)
        self._say(decided)
        await self._book.write()
        pull = self._lanes.step("fetch")
        if pull and pull.kind == "pull" and pull.name not in facts.placed:
            self._lanes.call_off("fetch", "it is no longer placed here")
        if not self._sight.blocked:
            self._act(tasks, decided)

    def _say(self, decided: keeper_plan.Plan) -> None:
        before, self._refused = self._refused, decided.refused
        for model, why in decided.refused.items():
            if before.get(model) != why:
                logger.warning("%s is not kept here: %s", model, why)
        if before != decided.refused:
            self._p.reporter.nudge()

    def _act(self, tasks: TaskGroup, decided: keeper_plan.Plan) -> None:
        for lane, step in (("fetch", decided.fetch), ("memory", decided.memory)):
            if step is not None and self._lanes.step(lane) is None:
                self._lanes.begin(tasks, lane, step)

    async def _find_sources(self) -> Mapping[str, Source]:
        """For what is missing: another board, where boards share."""
        sharing, node = self._p.sharing, self._p.who.node
        there = {canonical(m.name) for m in self._p.view.models}
        missing = {n: m for m in self._sight.assigned if (n := canonical(m.name)) not in there}
        if sharing is None or not missing:
            return {}
        peers = await sharing.peers()
        found: dict[str, Source] = {}
        for name, model in missing.items():
            found[name] = source(name, node, model.nodes, peers, self._avoid.get(name, ()))
            if found[name] is None and problem(model.name, self._p.settings.model_registries):
                self._avoid.pop(name, None)  # there is nothing else: ask them all again
        return found

    async def _do(self, step: Step) -> None:
        lasting = self._sight.lasting
        try:
            await self._hands.do(step)
        except EngineError:
            if step.kind == "pull":  # next time from another board; from the registry: all anew
                avoid = self._avoid.setdefault(step.name, set())
                avoid.add(step.copy.peer.name) if step.copy else avoid.clear()
            raise
        if step.kind == "pull":
            self._avoid.pop(step.name, None)
            self._own(step)
        elif step.kind == "load" and step.model is not None:
            self._sight.seats.loaded(lasting, self._sight.resident)
            if step.model.keep_alive_seconds is not None:
                self._once.add(step.name)

    def _own(self, step: Step) -> None:
        """It was fetched here: it may be deleted here."""
        there = next((m for m in self._p.view.models if canonical(m.name) == step.name), None)
        if there is not None and step.model is not None:
            self._book.kept[step.name] = Kept(step.model.retain, there.digest)

    async def make_room(self, request: InferenceRequest) -> None:
        """Before a load that a request asked for: the engine does not look at memory itself."""
        reporter, config = self._p.reporter, self._p.reporter.config
        if not config.models:
            return
        context: Any = (request.options or {}).get("num_ctx")
        model = ModelConfig(
            name=request.model, context_length=context if isinstance(context, int) else None
        )
        with anyio.move_on_after(MAKE_ROOM_S):
            try:
                await reporter.sense()
                facts = self._sight.look(self._book.kept, self._once)
                most = config.thresholds.ram_exclude_percent
                taken_bytes = sum(m.size_bytes for m in facts.resident.values())
                room = replace(facts.room.beside(taken_bytes), ceiling_percent=most)
                for name in keeper_value.to_leave(facts, model, room):
                    logger.info("%s leaves memory: a request needs %s", name, request.model)
                    await self._hands.unload(name)
            except EngineError as error:
                logger.warning("no room could be made for %s: %s", request.model, error)

    def report(self) -> Keeping:
        """For the health report."""
        share_url = (self._p.sharing.url or None) if self._p.sharing else None
        if not (self._began and (self._sight.assigned or self._book.kept)):
            return Keeping(share_url=share_url)
        facts = self._sight.look(self._book.kept, self._once, self._sources)
        step = self._lanes.step("fetch")
        fetching = step.name if step and step.kind == "pull" else ""
        told = tell(facts, self._refused, self._hands.pull, fetching)
        return replace(told, share_url=share_url)
