"""Keeps the current Fleet and configuration from the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

import anyio
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_contracts import keys, schema
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig
from orion_contracts.errors import InvalidRequest
from orion_contracts.health import NodeHealth, hash_to_wire
from orion_router.fleet import Fleet, Node, observe

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
SETTLE_S = 0.25
CONFIG_EVERY = 5
"""The configuration is read at every fifth look."""


class Watch:
    """Polls the boards' reports; `poke` asks for a look now (residency may have changed)."""

    def __init__(self, store: Redis, router: str, on_change: Callable[[], None]) -> None:
        self._store = store
        self._router = router
        self._on_change = on_change
        self._poke = anyio.Event()
        self.fleet = Fleet()
        self.config: ClusterConfig = DEFAULT_CONFIG
        self.config_error = ""
        self.seen_once = anyio.Event()

    def poke(self) -> None:
        """Look again soon."""
        self._poke.set()

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            try:
                if looks % CONFIG_EVERY == 0:
                    await self._read_config()
                await self._look()
                looks += 1
                self.seen_once.set()
            except RedisError as error:
                log.warning("watch: the store does not answer: %s", error)
            with anyio.move_on_after(INTERVAL_S):
                await self._poke.wait()
                await anyio.sleep(SETTLE_S)  # many pokes, one look
            if self._poke.is_set():
                self._poke = anyio.Event()

    async def _look(self) -> None:
        names = sorted(n.decode() for n in cast(set[bytes], await self._store.smembers(keys.NODES)))
        names = sorted({*names, *self.fleet.nodes})
        pipe = self._store.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(keys.node_health(name))
            pipe.exists(keys.alive(name))
            pipe.exists(keys.drain(name))
            pipe.smembers(keys.inflight(name))
        replies: list[Any] = await pipe.execute()
        now_s = time.monotonic()
        nodes: dict[str, Node] = {}
        for i, name in enumerate(names):
            fields, alive, draining, inflight = replies[4 * i : 4 * i + 4]
            before = self.fleet.nodes.get(name)
            node = observe(
                before,
                name,
                self._report(name, fields),
                bool(alive),
                bool(draining),
                frozenset(cast(bytes, m).decode() for m in inflight),
                now_s,
                self.config.thresholds,
            )
            nodes[name] = node
            if before is None or before.reasons != node.reasons:
                log.info("board %s: %s", name, ", ".join(node.reasons) or "eligible")
        self.fleet = Fleet(nodes)
        self._on_change()

    def _report(self, name: str, fields: dict[bytes, bytes]) -> NodeHealth | None:
        if not fields:
            return None
        before = self.fleet.nodes.get(name)
        old = before.health if before else None
        if old is not None and (fields.get(b"seq"), fields.get(b"incarnation")) == (
            b"%d" % old.seq,
            orjson.dumps(old.incarnation),
        ):
            return old  # nothing new: spare the parsing
        try:
            document = hash_to_wire(fields)
            schema.check("node-health", document)
            return NodeHealth.from_wire(document)
        except (InvalidRequest, ValueError) as error:
            log.warning("board %s sends a report that breaks its schema: %s", name, error)
            return None

    async def _read_config(self) -> None:
        try:
            raw = cast(bytes | None, await self._store.get(keys.CONFIG))
        except ResponseError as error:  # a key of another type, say
            self.config_error = str(error)
            log.error("the configuration cannot be read, the last good one stays: %s", error)
            return
        if raw is None:
            config, self.config_error = DEFAULT_CONFIG, ""
        else:
            try:
                document = orjson.loads(raw)
                schema.check("config", document)
                config, self.config_error = ClusterConfig.from_wire(document), ""
            except (InvalidRequest, ValueError, TypeError) as error:
                if str(error) != self.config_error:
                    log.error("the configuration is invalid, the last good one stays: %s", error)
                self.config_error = str(error)
                return
        if config != self.config:
            log.info("configuration of generation %d applied", config.generation)
            self.config = config
            await cast(
                Any,
                self._store.hset(keys.CONFIG_APPLIED, self._router, str(config.generation)),
            )
