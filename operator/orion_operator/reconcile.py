"""The loop: look at everything, decide with pure functions, change what differs.

Level-triggered: every pass starts from what is there now. A bell of the watches wakes it, and time
does; no pass depends on having seen an event.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import cache

from orion_operator import labels, ownership
from orion_operator.api import ApiError
from orion_operator.board import Board, make_boards, place_of
from orion_operator.cluster import Cluster
from orion_operator.config_writer import ConfigWriter
from orion_operator.facts import Facts, StoreFacts
from orion_operator.fields import InvalidResource
from orion_operator.footprint import Footprint, footprint, survey
from orion_operator.images import describe
from orion_operator.lease import Lease
from orion_operator.metrics import Metrics
from orion_operator.node_writer import NodeWriter
from orion_operator.ownership import Choice, Resource
from orion_operator.placement import Plan, place_models
from orion_operator.publish import Publisher
from orion_operator.render import render
from orion_operator.roller import Roller
from orion_operator.rollout import Rollout
from orion_operator.sightings import Trail, follow, reckoned_while_away, sightings
from orion_operator.spec import ClusterSpec, read_spec
from orion_operator.spec_models import ModelSpec
from orion_operator.status import refused, status_of
from orion_operator.store_link import Look, StoreLink
from orion_operator.sweep import Sweep
from orion_operator.tables import cold_boards
from orion_operator.troubles import of_error
from orion_operator.view import View

log = logging.getLogger(__name__)

EVERY_S, SOON_S, COALESCE_S = 10.0, 2.0, 0.1
STORE_S = 8.0
"""A store that is not reached holds up nothing for longer than this."""


class Reconciler:
    """`problem`: why the last pass was not complete; empty when it was."""

    def __init__(
        self,
        view: View,
        cluster: Cluster,
        lease: Lease,
        link: StoreLink,
        config: ConfigWriter,
        nodes: NodeWriter,
        publisher: Publisher,
        roller: Roller,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._cluster = cluster
        self._lease = lease
        self._link = link
        self._config = config
        self._nodes = nodes
        self._publisher = publisher
        self._roller = roller
        self._sweep = Sweep(view, cluster, clock)
        self._metrics = metrics
        self._clock = clock
        self._trails: dict[str, Trail] = {}
        self._looked_s = clock()
        self._away = False
        self.definition = ""
        self.problem = "starting"
        self.passed_s: float | None = None
        self.facts: Facts | None = None

    async def run(self) -> None:
        """Pass after pass, until cancelled."""
        while True:
            self._view.bell.clear()
            pause_s = await self._guarded()
            try:
                await asyncio.wait_for(self._view.bell.wait(), pause_s)
                await asyncio.sleep(COALESCE_S)  # many changes, one pass
            except TimeoutError:
                pass

    async def _guarded(self) -> float:
        begun_s = self._clock()
        try:
            pause_s = await self.once()
        except ApiError as error:
            self._note(str(error))
            self._metrics.reconciles.labels("api").inc()
            return SOON_S
        except Exception:
            log.exception("a pass failed; the next one is in %.0f s", EVERY_S)
            self._note("a pass failed; see the log")
            self._metrics.reconciles.labels("error").inc()
            return EVERY_S
        self._metrics.reconciles.labels("done").inc()
        self._metrics.seconds.observe(self._clock() - begun_s)
        if self._view.synced:
            self.passed_s = self._clock()
        return pause_s

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("not complete: %s", problem)
        self.problem = problem

    async def once(self) -> float:
        """One pass; how long to wait for the next one at most."""
        if not self._view.synced:
            return EVERY_S
        held = await self._lease.keep()
        self._metrics.leader.set(held)
        if not held:
            self._note("")
            return EVERY_S
        choice = ownership.choose(self._view.resources.items.values())
        if choice.make_default:
            await self._cluster.create_default()
        await self._sweep.when_due()
        rollout = await self._roller.step(cold_boards(self.facts) if self.facts else ())
        await self._tell_losers(choice)
        active = choice.active
        if active is None:
            self._note("")
            return EVERY_S
        try:
            spec = read_spec(active.spec)
        except InvalidResource as error:
            text = f"{error}; the last good configuration stays in force"
            await self._refuse(active, "Invalid", text)
            self._note("")
            return EVERY_S
        pause_s = await self._apply(active, spec, rollout)
        self._note("")
        return pause_s

    async def _apply(self, active: Resource, spec: ClusterSpec, rollout: Rollout) -> float:
        nodes = self._view.nodes.items
        belonging = labels.belonging(nodes.values(), spec, self._cluster.namespace)
        await self._nodes.label(belonging)  # before the store is asked: boards get their pods
        await self._nodes.leave_excluded(belonging, nodes)
        look = await self._look(spec, belonging.classes)
        seen = sightings(self._trails, belonging.classes, self._looked_s)
        boards = make_boards(nodes.values(), belonging.classes, spec, seen)
        self._metrics.count(board.state for board in boards)
        plan = self._plan(spec, boards)
        wrote = False
        if look.facts.reachable:
            content = render(spec, boards, plan, self._cluster.namespace)
            wrote = await self._config.write(content)
        self.facts = Facts(
            generation=active.generation,
            spec=spec,
            boards=boards,
            foreign=belonging.foreign,
            plan=plan,
            store=look.facts,
            config_generation=self._config.generation,
            shared_with=self._config.shared_with,
            missing_images=describe(self._view.pods.items.values()),
            definition=self.definition,
            rollout=rollout,
        )
        await self._publish(active, self.facts)
        await self._nodes.feed_back(boards, spec.feedback)
        behind = set(look.facts.routers.values()) != {self._config.generation}
        return SOON_S if wrote or (look.facts.reachable and behind) else EVERY_S

    async def _look(self, spec: ClusterSpec, classes: Mapping[str, str]) -> Look:
        known = {c.name for c in spec.node_classes if c.works}
        working = [name for name, node_class in sorted(classes.items()) if node_class in known]
        try:
            look = await asyncio.wait_for(self._link.look(working), STORE_S)
        except TimeoutError as error:
            look = Look(StoreFacts(trouble=of_error(error, self._link.address)))
        self._metrics.store_up.set(look.facts.reachable)
        if not look.facts.reachable:
            self._away = True
            return look
        now_s = self._clock()
        if self._away:
            self._trails = reckoned_while_away(self._trails, now_s - self._looked_s)
        self._away, self._looked_s = False, now_s
        self._trails = follow(self._trails, look.reads, spec.thresholds, now_s)
        self._config.saw(look.config)
        return look

    def _plan(self, spec: ClusterSpec, boards: tuple[Board, ...]) -> Plan:
        known = survey(b.report for b in boards if b.report)

        @cache
        def size(model: ModelSpec, slots: int) -> Footprint:
            return footprint(model, slots, known)

        places = [place_of(board) for board in boards if board.works]
        plan = place_models(spec.models, places, self._config.plan, size)
        self._metrics.models_unplaced.set(sum(bool(p.problem) for p in plan.values()))
        return plan

    async def _publish(self, resource: Resource, facts: Facts) -> None:
        await self._publisher.publish(resource, lambda old, now: status_of(facts, old, now))

    async def _refuse(self, resource: Resource, reason: str, text: str) -> None:
        await self._publisher.publish(
            resource, lambda old, now: refused(reason, text, resource.generation, old, now)
        )

    async def _tell_losers(self, choice: Choice) -> None:
        for name, (reason, message) in choice.losers.items():
            await self._refuse(self._view.resources.items[name], reason, message)
        self._publisher.forget({r.uid for r in self._view.resources.items.values()})
