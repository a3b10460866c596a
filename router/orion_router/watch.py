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
from orion_contracts.aliases import problems
from orion_contracts.config import DEFAULT_CONFIG, ClusterConfig
from orion_contracts.errors import InvalidRequest
from orion_contracts.health import NodeHealth, hash_to_wire
from orion_contracts.prefix_key import ensure_prefix_key
from orion_router.fleet import Fleet, Node
from orion_router.names import board_names, known, members
from orion_router.sighting import observe
from orion_router.trouble import Trouble

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
SETTLE_S = 0.25
FORGET_S = 600.0
"""How long a board that left is remembered, with its models: it may only have been restarted."""
TELL_EVERY = 60
"""Looks after which the generation is told again: the store may have been emptied."""

KEY_EVERY = 10
"""Looks after which the key of prompts is read again, for the same reason."""


class Watch:
    """Polls the boards' reports; `poke` asks for a look now (residency may have changed)."""

    def __init__(
        self,
        store: Redis,
        router: str,
        on_change: Callable[[], None],
        forget_s: float = FORGET_S,
    ) -> None:
        self._store = store
        self._router = router
        self._on_change = on_change
        self._forget_s = forget_s
        self._poke = anyio.Event()
        self.fleet = Fleet()
        self.config: ClusterConfig = DEFAULT_CONFIG
        self.config_error = ""
        self.seen_once = anyio.Event()
        self.prefix_key = b""
        """What hashes of prompts are keyed with; empty: none are made."""
        self._looks = 0
        self._raw: bytes | None = None
        self._told: bytes | None = None
        self._broken: dict[str, str] = {}
        """What is wrong with a board's report: said once, not every second."""

    def poke(self) -> None:
        """Look again soon."""
        self._poke.set()

    async def run(self) -> None:
        """Look until cancelled."""
        trouble = Trouble(log, "watch")
        while True:
            try:
                await self._read_config()
                if not self.prefix_key or not self._looks % KEY_EVERY:
                    self.prefix_key = await ensure_prefix_key(self._store)
                await self._look()
                self._looks += 1
                self.seen_once.set()
                trouble.over()
            except RedisError as error:
                log.warning("watch: the store does not answer: %s", error)
            except Exception as error:
                trouble.note(error)
            with anyio.move_on_after(INTERVAL_S):
                await self._poke.wait()
                await anyio.sleep(SETTLE_S)  # many pokes, one look
            if self._poke.is_set():
                self._poke = anyio.Event()

    async def _look(self) -> None:
        present = board_names(cast(set[bytes], await self._store.smembers(keys.NODES)))
        names = sorted({*present, *self._remembered(time.monotonic())})
        pipe = self._store.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(keys.node_health(name))
            pipe.exists(keys.alive(name))
            pipe.exists(keys.drain(name))
            pipe.smembers(keys.inflight(name))
        replies: list[Any] = await pipe.execute(raise_on_error=False)
        now_s = time.monotonic()
        nodes: dict[str, Node] = {}
        for i, name in enumerate(names):
            fields, alive, draining, inflight = map(known, replies[4 * i : 4 * i + 4])
            before = self.fleet.nodes.get(name)
            node = observe(
                before,
                name,
                self._report(name, fields),
                bool(alive),
                bool(draining),
                frozenset(members(inflight)),
                now_s,
                self.config.thresholds,
                self.config.node(name),
            )
            nodes[name] = node
            if before is None or before.reasons != node.reasons:
                log.info("board %s: %s", name, ", ".join(node.reasons) or "eligible")
        self.fleet = Fleet(nodes)
        self._on_change()

    def _remembered(self, now_s: float) -> list[str]:
        """Boards seen before, without those that left long ago: a board that fell silent stays
        among the nodes, one that left and does not come back is no board of ours any more."""
        return [
            name
            for name, node in self.fleet.nodes.items()
            if node.lost_since_s is None or now_s - node.lost_since_s <= self._forget_s
        ]

    def _report(self, name: str, fields: dict[bytes, bytes] | None) -> NodeHealth | None:
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
            self._broken.pop(name, None)
            return NodeHealth.from_wire(document)
        except (InvalidRequest, ValueError) as error:
            if self._broken.get(name) != str(error):
                log.warning("board %s sends a report that breaks its schema: %s", name, error)
            self._broken[name] = str(error)
            return None

    async def _read_config(self) -> None:
        try:
            raw = cast(bytes | None, await self._store.get(keys.CONFIG))
        except ResponseError as error:  # a key of another type, say
            if str(error) != self.config_error:
                log.error("the configuration cannot be read, the last good one stays: %s", error)
            self._raw, self.config_error = b"", str(error)
            return
        if raw == self._raw and self._looks:
            await self._tell(raw)
            return
        self._raw = raw
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
            for problem in problems(config.models):
                name = config.models[problem.at].name
                log.warning("model %s: %s: %s", name, problem.field, problem.text)
        await self._tell(raw)

    async def _tell(self, raw: bytes | None) -> None:
        """Say which generation this router runs, for as long as the store does not say it."""
        if self.config_error or (raw is None and self._told is None):
            return
        generation = b"%d" % self.config.generation
        if self._told != generation or not self._looks % TELL_EVERY:
            applied: Any = self._store.hset(keys.CONFIG_APPLIED, self._router, generation)
            await applied
            self._told = generation
