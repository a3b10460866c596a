"""The operator's side of the store: one look at everything, the library, the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest, OrionError
from orion_contracts.health import NodeHealth, hash_to_wire
from orion_contracts.ledger import ensure_library
from orion_contracts.store import check_store
from orion_operator.facts import StoreFacts
from orion_operator.loose import mapping
from orion_operator.sightings import Read
from orion_operator.troubles import advice, of_error, of_settings

log = logging.getLogger(__name__)

SETTINGS = ("appendonly", "appendfsync", "maxmemory-policy")


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `config`: the document that is there, None if none or not readable."""

    facts: StoreFacts
    config: Mapping[str, Any] | None = None
    reads: Mapping[str, Read] = field(default_factory=dict[str, Read])


class StoreLink:
    """Never raises the store's errors out of `look`: they are facts."""

    def __init__(self, store: Redis, address: str) -> None:
        self._store = store
        self.address = address
        self._reports: dict[str, NodeHealth] = {}
        self._complaints: dict[str, str] = {}

    async def look(self, boards: Sequence[str]) -> Look:
        """Ensure the function library, and read all that counts."""
        try:
            await check_store(self._store)
            await ensure_library(self._store)
            return await self._look(boards)
        except (RedisError, OrionError, OSError) as error:
            return Look(StoreFacts(trouble=of_error(error, self.address)))

    async def _look(self, boards: Sequence[str]) -> Look:
        pipe: Any = self._store.pipeline(transaction=False)
        pipe.info("persistence")
        pipe.info("memory")
        pipe.config_get(*SETTINGS)
        pipe.zcard(keys.QUEUE)
        pipe.get(keys.CONFIG)
        pipe.hgetall(keys.CONFIG_APPLIED)
        for name in boards:
            pipe.hgetall(keys.node_health(name))
            pipe.exists(keys.alive(name))
            pipe.exists(keys.drain(name))
        replies: list[Any] = await pipe.execute(raise_on_error=False)
        kept, memory, settings, queue, config, applied, *rest = (_sound(r) for r in replies)
        reads = {
            name: Read(
                self._report(name, rest[3 * i]), bool(rest[3 * i + 1]), bool(rest[3 * i + 2])
            )
            for i, name in enumerate(boards)
        }
        self._reports = {name: read.report for name, read in reads.items() if read.report}
        told: Mapping[Any, Any] = settings or {}
        found = {_text(k): _text(v) for k, v in told.items()}
        facts = StoreFacts(
            trouble=of_settings({**(kept or {}), **(memory or {})}, found),
            advice=advice(found),
            queue=queue,
            routers=await self._routers(applied or {}),
        )
        return Look(facts, _document(config), reads)

    async def _routers(self, applied: Mapping[bytes, bytes]) -> dict[str, int | None]:
        """Routers whose mailbox lives. The word of those that died is taken away."""
        names = [name.decode(errors="replace") for name in applied]
        pipe: Any = self._store.pipeline(transaction=False)
        for name in names:
            pipe.exists(keys.mailbox(name))
        alive: list[Any] = await pipe.execute(raise_on_error=False) if names else []
        living: dict[str, int | None] = {}
        for (raw, generation), name, there in zip(applied.items(), names, alive, strict=True):
            if isinstance(there, Exception) or there:
                living[name] = int(generation) if generation.isdigit() else None
            else:
                await cast(Any, self._store.hdel(keys.CONFIG_APPLIED, cast(str, raw)))
        return living

    def _report(self, name: str, fields: Any) -> NodeHealth | None:
        if not fields:
            return None
        old = self._reports.get(name)
        if old is not None and (fields.get(b"seq"), fields.get(b"incarnation")) == (
            b"%d" % old.seq,
            orjson.dumps(old.incarnation),
        ):
            return old  # nothing new: spare the parsing
        try:
            document = hash_to_wire(fields)
            schema.check("node-health", document)
            self._complaints.pop(name, None)
            return NodeHealth.from_wire(document)
        except (InvalidRequest, ValueError) as error:
            if self._complaints.get(name) != str(error):
                log.warning("board %s sends a report that breaks its schema: %s", name, error)
                self._complaints[name] = str(error)
            return None

    async def write(self, document: Mapping[str, Any]) -> None:
        """Replace the configuration. Raises RedisError, or InvalidRequest for a fault of ours."""
        schema.check("config", document)
        await self._store.set(keys.CONFIG, orjson.dumps(document))

    async def forget(self) -> None:
        """Take the configuration away: routers and workers fall back to the defaults."""
        await self._store.delete(keys.CONFIG, keys.CONFIG_APPLIED)

    async def close(self) -> None:
        """Close the connections."""
        await self._store.aclose()


def _sound(reply: Any) -> Any:
    """A reply, or None in place of an error: one key of a wrong type must not hide the others."""
    return None if isinstance(reply, Exception) else reply


def _document(raw: bytes | None) -> Mapping[str, Any] | None:
    """The document; of one that breaks our schema only the generation, which is to be passed."""
    if raw is None:
        return None
    document: Any = None
    try:
        document = orjson.loads(raw)
        schema.check("config", document)
    except (InvalidRequest, ValueError, TypeError):
        generation: Any = mapping(document).get("generation")
        return {"generation": generation if isinstance(generation, int) else 0}
    return cast("Mapping[str, Any]", document)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
