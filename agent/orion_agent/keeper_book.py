"""What the keeper has to remember over a restart of the worker, in the store.

Which models were placed here (so that one that left meanwhile is unloaded) and which copies the
keeper fetched itself (nothing else is ever deleted). Written only when something changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from orion_agent.keeper_facts import Facts, Kept
from orion_contracts import keys


class Book:
    """The hash `orion:inference:kept:{node}`, by canonical name."""

    def __init__(self, store: Redis, node: str) -> None:
        self._store, self._key = store, keys.kept(node)
        self._written: dict[str, Kept] = {}
        self._read = False
        self.kept: dict[str, Kept] = {}

    async def read_once(self) -> None:
        """What an earlier life left. Raises redis' errors."""
        if self._read:
            return
        raw = cast(dict[bytes, bytes], await cast(Any, self._store.hgetall(self._key)))
        for field, value in raw.items():
            if (kept := _parsed(value)) is not None:
                self._written[field.decode()] = kept
        self.kept = {**self._written, **self.kept}
        self._read = True

    async def write(self) -> None:
        """The changes. Raises redis' errors."""
        changed = {n: k for n, k in self.kept.items() if self._written.get(n) != k}
        gone = [name for name in self._written if name not in self.kept]
        store: Any = self._store
        if changed:
            await store.hset(self._key, mapping={n: _packed(k) for n, k in changed.items()})
        if gone:
            await store.hdel(self._key, *gone)
        self._written = dict(self.kept)


def after(facts: Facts) -> dict[str, Kept]:
    """What is to be remembered (pure): what is placed here, and what left and is not gone yet."""
    placed = facts.placed
    kept = dict(facts.kept)
    for name, model in placed.items():
        kept[name] = Kept(model.retain, kept.get(name, Kept()).digest)
    return {name: k for name, k in kept.items() if name in placed or _lingers(facts, name, k)}


def _lingers(facts: Facts, name: str, kept: Kept) -> bool:
    """Whether it is still in memory, or on disk as a copy that has to go."""
    there = facts.disk.get(name)
    ours = there is not None and bool(kept.digest) and there.digest == kept.digest
    return (name in facts.resident and not facts.shared(name)) or (ours and not kept.retain)


def _packed(kept: Kept) -> bytes:
    return orjson.dumps({"retain": kept.retain, "digest": kept.digest})


def _parsed(value: Mapping[str, Any] | bytes) -> Kept | None:
    try:
        document = orjson.loads(cast(bytes, value))
        return Kept(bool(document["retain"]), str(document["digest"]))
    except (ValueError, TypeError, KeyError):
        return None
