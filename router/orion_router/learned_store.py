"""What the planner learned, kept in the store: it outlives the router, and the next one takes it.

Each document is small JSON under `orion:inference:learned:{name}`. It is loaded before it is first
saved in a tenure, so that a router that knows nothing overwrites nothing; it is saved only when it
changed, and seldom, because the store syncs every write to a disk that wears.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_contracts import keys
from orion_router.lease import PlannerLease
from orion_router.trouble import Trouble

log = logging.getLogger(__name__)

LOOK_S = 1.0
EVERY_S = 30.0
"""Least time between two writes of one document."""
TTL_S = 30 * 86400
MOST_BYTES = 64 * 1024
MOST_DOCUMENTS = 256


class Document(NamedTuple):
    """One thing that is learned."""

    dump: Callable[[], object]
    """What is to be kept, as JSON; None: nothing yet."""
    load: Callable[[Any], None]
    """Takes what `dump` once gave, in place of what is known. May raise whatever it likes for a
    value that cannot be: somebody else wrote it, or another version."""


Documents = Callable[[], Mapping[str, Document]]
"""The present ones by name: boards come and go."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the store holds of a document, and when we wrote it."""

    raw: bytes
    at_s: float = -math.inf


class LearnedStore:
    """Loads on taking the planner's lease, saves while it is held."""

    def __init__(
        self,
        store: Redis,
        lease: PlannerLease,
        documents: Documents = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._lease, self._clock = store, lease, clock
        self.documents = documents
        self.writes = 0
        self._epoch = ""
        self._kept: dict[str, _Kept] = {}
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Load what is new and save what changed, until cancelled."""
        trouble = Trouble(log, "what was learned")
        while True:
            await anyio.sleep(LOOK_S)
            try:
                await self.look()
                trouble.over()
            except RedisError as error:
                log.warning("what was learned: the store does not answer: %s", error)
            except Exception as error:
                trouble.note(error)

    async def take_over(self) -> None:
        """The lease is ours: what an earlier planner learned is used from the first decision on.
        Planning does not wait for a store that is away; then `run` loads it later."""
        try:
            await self._load()
        except RedisError as error:
            log.warning("what was learned cannot be loaded yet: %s", error)

    async def look(self) -> None:
        """One round: nothing while another router plans."""
        if not self._lease.held:
            return
        await self._load()
        await self._save()

    async def _load(self) -> None:
        """Each document once in a tenure; boards that come later bring theirs later."""
        if self._epoch != self._lease.epoch:
            self._epoch = self._lease.epoch
            self._kept = {}
        present = self._present()
        names = [name for name in present if name not in self._kept]
        if not names:
            return
        for name, raw in zip(names, await self._read(names), strict=True):
            self._kept[name] = _Kept(raw if self._take(name, present[name], raw) else b"")

    def _present(self) -> dict[str, Document]:
        """The documents of now, no more than can be kept."""
        present = list(self.documents().items())
        if len(present) > MOST_DOCUMENTS:
            self._tell("*", f"of {len(present)} documents only {MOST_DOCUMENTS} are kept")
        return {n: d for n, d in present[:MOST_DOCUMENTS] if keys.learned(n) != keys.LEARNED_KEY}

    async def _read(self, names: Iterable[str]) -> list[bytes]:
        """The stored bytes; empty where there are none, or a key of another type."""
        pipe = self._store.pipeline(transaction=False)
        for name in names:
            pipe.get(keys.learned(name))
        found: list[object] = []
        for name, value in zip(names, await pipe.execute(raise_on_error=False), strict=True):
            if isinstance(value, ResponseError):
                self._tell(name, f"cannot be read: {value}")
            elif isinstance(value, Exception):
                raise value
            found.append(value)
        return [value if isinstance(value, bytes) else b"" for value in found]

    def _take(self, name: str, document: Document, raw: bytes) -> bool:
        """Hand stored bytes to their document; False: it made nothing of them."""
        if not raw:
            return False
        try:
            if len(raw) > MOST_BYTES:
                raise ValueError(f"{len(raw)} bytes are more than {MOST_BYTES}")
            document.load(orjson.loads(raw))
        except Exception as error:
            self._tell(name, f"is ignored: {error!r}")
            return False
        return True

    async def _save(self) -> None:
        now_s, news = self._clock(), dict[str, bytes]()
        for name, document in self._present().items():
            kept = self._kept.get(name)
            if kept is None or now_s - kept.at_s < EVERY_S:
                continue
            raw = self._dumped(name, document)
            if raw and raw != kept.raw:
                news[name] = raw
        if not news:
            return
        pipe = self._store.pipeline(transaction=False)
        for name, raw in news.items():
            pipe.set(keys.learned(name), raw, ex=TTL_S)
        self._kept |= {name: _Kept(raw, now_s) for name, raw in news.items()}
        self.writes += len(news)
        try:
            await pipe.execute()
        except RedisError:
            self._kept |= {name: _Kept(b"", now_s) for name in news}  # again, but not at once
            raise

    def _dumped(self, name: str, document: Document) -> bytes:
        """A document as JSON; empty where there is nothing to keep, or nothing that can be."""
        try:
            value = document.dump()
            raw = b"" if value is None else orjson.dumps(value)
            if len(raw) > MOST_BYTES:
                raise ValueError(f"{len(raw)} bytes are more than {MOST_BYTES}")
        except Exception as error:
            self._tell(name, f"cannot be kept: {error!r}")
            return b""
        return raw

    def _tell(self, name: str, what: str) -> None:
        """Said once, however often it is seen."""
        if self._said.get(name) != what:
            self._said[name] = what
            log.warning("learned document %s %s", name, what)
