"""Publishes the board's health: every interval whatever fails, and soon after a change.

Only fields that changed are written, because the store syncs every write to a disk that wears. If
the hash is not what was left there (expired, flushed), it is written whole again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
from anyio import to_thread
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_agent.configuration import InForce
from orion_agent.energy import Meter
from orion_agent.engine import Engine
from orion_agent.gates import Gates
from orion_agent.health import Identity, Seen, build, without_noise
from orion_agent.keeper_report import Keeping
from orion_agent.rates import Rates
from orion_agent.sensors import Sample, read_sample
from orion_agent.slots import Slots
from orion_agent.soundness import Soundness
from orion_agent.view import EngineView
from orion_contracts import keys
from orion_contracts.config import ClusterConfig
from orion_contracts.errors import EngineError
from orion_contracts.health import TTL_S, NodeHealth, Progress
from orion_contracts.kubernetes import EXCLUDED
from orion_contracts.ledger import Ledger
from orion_contracts.prefix_key import usable
from orion_contracts.stamp import iso_now

AT_MOST_EVERY_S = 0.5
DISK_EVERY = 3
"""Models on disk are asked for with every third look at the engine: Ollama rescans its folder."""
logger = logging.getLogger("orion.worker.health")


class Reporter:
    """Knows the board's last report, and whether its gates are open."""

    def __init__(
        self,
        store: Redis,
        who: Identity,
        engine: Engine,
        view: EngineView,
        slots: Slots,
        rates: Rates,
        root: Path,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._who, self._engine = store, who, engine
        self._view, self._slots, self._rates = view, slots, rates
        self._root, self._interval_s, self._clock = root, interval_s, clock
        self.sample = Sample()
        self.meter = Meter(clock())
        self._known_before = False
        self._ledger = Ledger(store)
        self._sound = Soundness()
        self._written: dict[str, bytes] = {}
        self._seq = 0
        self._looks = 0
        self._nudged = anyio.Event()
        self._look = anyio.Event()
        self._in_force = InForce()
        self._one = anyio.Lock()
        self.gates = Gates()
        self.draining = False
        self.prefix_key = b""  # of prompts' hashes; empty: no router has made one yet
        self.keeping: Callable[[], Keeping] = Keeping  # what the model keeper has to say
        self.progress: Callable[[], tuple[Progress, ...]] = tuple  # how far running requests are
        self.health: NodeHealth | None = None
        self.published_s: float | None = None

    @property
    def config(self) -> ClusterConfig:
        """The configuration in force; the defaults where the store has none."""
        return self._in_force.config

    @property
    def config_seen(self) -> bool:
        """Whether the store has one."""
        return self._in_force.seen

    def nudge(self, look: bool = False) -> None:
        """Something changed: report soon; with `look`, ask the engine what is resident first."""
        (self._look if look else self._nudged).set()

    async def report_forever(self) -> None:
        """Read the sensors and publish, every interval and soon after a nudge."""
        while True:
            began_s = self._clock()
            await self.sense()
            await self.publish()
            while (left_s := began_s + self._interval_s - self._clock()) > 0:
                await anyio.sleep(min(left_s, AT_MOST_EVERY_S))
                with anyio.move_on_after(max(left_s - AT_MOST_EVERY_S, 0)) as waiting:
                    await self._nudged.wait()
                if not waiting.cancelled_caught and self._nudged.is_set():
                    await self.publish()

    async def look_forever(self) -> None:
        """Ask the engine what it holds, every interval and soon after a nudge."""
        while True:
            await self.look()
            self._look = anyio.Event()
            with anyio.move_on_after(self._interval_s):
                await self._look.wait()
                await anyio.sleep(AT_MOST_EVERY_S / 5)

    async def look(self, within_s: float = 4.0, disk: bool = False) -> None:
        """One look, with `disk` also at the models on disk; nudges when something changed."""
        view = self._view
        before = (view.reachable, view.resident, view.models)
        try:
            with anyio.fail_after(within_s):
                with_disk = disk or self._looks % DISK_EVERY == 0
                view.saw(view.contexts.loads, await self._engine.census(with_disk=with_disk))
            self._looks += 1
        except (EngineError, TimeoutError) as error:
            silent = EngineError(f"Ollama did not answer within {within_s:g} s")
            view.missed(error if isinstance(error, EngineError) else silent)
            self._looks = 0
        if (view.reachable, view.resident, view.models) != before:
            self.nudge()

    async def sense(self) -> None:
        """Read the sensors."""
        try:
            self.sample = await to_thread.run_sync(read_sample, self._root)
        except Exception:
            logger.exception("the sensors could not be read")
            self.sample = Sample()
        self.meter.advance(self._clock(), self.sample.power_w)
        self._known_before |= self.sample.temperature_c is not None

    async def publish(self) -> bool:
        """Write the report now; False when the store did not take it."""
        async with self._one:
            self._nudged = anyio.Event()
            self._seq += 1
            health = self._build()
            self.health = health
            self.gates = self.gates.after(health, self.config.thresholds, self._clock())
            try:
                await self._write(self._sound.fields(without_noise(health).to_wire()))
            except (RedisError, OSError) as error:
                logger.warning("the health report could not be written: %s", error)
                self._written = {}
                return False
            self.published_s = self._clock()
            return True

    def _build(self) -> NodeHealth:
        view = self._view
        seen = Seen(
            view.to_health(), self._slots.running, view.resident, view.models,
            tuple(sorted(view.loading)), self._rates.to_wire(), self.keeping(), self.progress(),
            self.meter.model,
        )  # fmt: skip
        who = replace(self._who, slots=self._slots.capacity)
        return build(
            who, self.sample, seen, seq=self._seq, timestamp=iso_now(),
            known_before=self._known_before,
        )  # fmt: skip

    async def _write(self, fields: dict[str, bytes]) -> None:
        before = self._written
        changed = {k: v for k, v in fields.items() if before.get(k) != v}
        gone = [name for name in before if name not in fields]
        length = await self._ledger.report(self._who.node, TTL_S, changed, gone, whole=not before)
        async with self._store.pipeline(transaction=False) as pipe:
            pipe.get(keys.CONFIG)
            pipe.exists(keys.drain(self._who.node))
            pipe.get(keys.LEARNED_KEY)
            config, drain, prefix_key = await pipe.execute(raise_on_error=False)
        self.prefix_key = usable(prefix_key)
        self._written = fields
        if not isinstance(config, Exception):  # a key of another type, say: the last one stays
            self._in_force.read(config)
        mine = self.config.node(self._who.node)
        self.draining = drain == 1 or mine.drain is not None or mine.node_class == EXCLUDED
        self._slots.resize(mine.slots or self._who.slots)
        self.meter.configure(mine.idle_w, mine.max_w, self._clock())
        if length != len(fields):
            self._written = {}
            await self._write(fields)

    async def withdraw(self) -> None:
        """Remove the board from the health registry."""
        await self._store.delete(keys.node_health(self._who.node))
