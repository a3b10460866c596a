"""What the planner learned outlives it, and costs the store's disk little."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError

from orion_contracts import keys
from orion_router.learned_store import EVERY_S, MOST_BYTES, MOST_DOCUMENTS, Document, LearnedStore
from orion_router.lease import PlannerLease
from servers.stores import fake_store

pytestmark = pytest.mark.may_block("fakeredis")


class Lease:
    """Held in one epoch after the other."""

    def __init__(self) -> None:
        self.epoch = "1"

    @property
    def held(self) -> bool:
        """An epoch means that it is."""
        return self.epoch != ""


class Table:
    """Something that learns numbers."""

    def __init__(self, **known: float) -> None:
        self.known: dict[str, float] = dict(known)

    def load(self, value: Any) -> None:
        """Strict, as a reader of foreign bytes has to be."""
        self.known = {str(k): float(v) for k, v in value.items()}

    @property
    def document(self) -> Document:
        """As the store keeps it."""
        return Document(lambda: self.known or None, self.load)


class Bench:
    """A learned store whose clock and lease are the test's."""

    def __init__(self, store: Redis) -> None:
        self.store: Any = store
        self.lease, self.now_s = Lease(), 1000.0
        self.tables: dict[str, Table] = {"outputs": Table()}
        self.learned = self.again()

    def again(self) -> LearnedStore:
        """Another life of the router."""
        return LearnedStore(
            self.store, cast(PlannerLease, self.lease),
            lambda: {name: table.document for name, table in self.tables.items()},
            lambda: self.now_s,
        )  # fmt: skip

    async def kept(self, name: str = "outputs") -> bytes | None:
        """What the store holds."""
        raw: bytes | None = await self.store.get(keys.learned(name))
        return raw

    async def later(self) -> None:
        """The next round in which a document may be written."""
        self.now_s += EVERY_S
        await self.learned.look()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """One document, nothing learned, the lease held."""
    async with fake_store().connect() as store:
        yield Bench(store)


async def test_the_next_planner_knows_what_this_one_learned(bench: Bench) -> None:
    """Kept for 30 days; loaded on taking over, before anything is decided."""
    bench.tables["outputs"].known = {"m": 41.5}
    await bench.learned.look()
    assert await bench.kept() == b'{"m":41.5}'
    assert 29 * 86400 < await bench.store.ttl(keys.learned("outputs")) <= 30 * 86400

    bench.tables, bench.lease.epoch = {"outputs": Table()}, "2"
    await bench.again().take_over()
    assert bench.tables["outputs"].known == {"m": 41.5}


async def test_a_document_is_written_when_it_changed_and_seldom(bench: Bench) -> None:
    """At most once in 30 s, and never without news."""
    table = bench.tables["outputs"]
    table.known = {"m": 1}
    await bench.learned.look()
    table.known = {"m": 2}
    bench.now_s += EVERY_S - 0.1
    await bench.learned.look()
    assert (bench.learned.writes, await bench.kept()) == (1, b'{"m":1}')

    await bench.later()
    await bench.later()
    await bench.later()
    assert (bench.learned.writes, await bench.kept()) == (2, b'{"m":2}')


async def test_nothing_is_written_over_what_was_not_loaded(bench: Bench) -> None:
    """A board that comes later brings what is known of it, even though it learned meanwhile; a
    router that knows nothing leaves what is there."""
    await bench.store.set(keys.learned("rates:pi-b"), b'{"m":7}')
    await bench.store.set(keys.learned("outputs"), b'{"m":8}')
    await bench.learned.look()
    bench.tables["rates:pi-b"] = Table(m=1)
    await bench.later()

    assert bench.tables["rates:pi-b"].known == {"m": 7.0}
    assert bench.tables["outputs"].known == {"m": 8.0}
    assert await bench.kept("outputs") in (b'{"m":8}', b'{"m":8.0}')


async def test_only_the_planner_writes_and_each_tenure_begins_with_a_look(bench: Bench) -> None:
    """While another router plans nothing is touched; what it learned counts afterwards."""
    bench.tables["outputs"].known = {"m": 1}
    await bench.learned.look()
    bench.lease.epoch = ""
    bench.tables["outputs"].known = {"m": 2}
    await bench.later()
    assert await bench.kept() == b'{"m":1}'

    await bench.store.set(keys.learned("outputs"), b'{"m":3}')
    bench.lease.epoch = "3"
    await bench.later()
    assert bench.tables["outputs"].known == {"m": 3.0}


@pytest.mark.parametrize("strange", [b"{", b"[1]", b'{"m":"x"}', b"\xff", b"1" * (MOST_BYTES + 1)])
async def test_strange_values_are_ignored_and_said_once(
    bench: Bench, strange: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What is known stays, the others are loaded, and the next write mends it."""
    await bench.store.set(keys.learned("outputs"), strange)
    await bench.store.set(keys.learned("rates:pi-a"), b'{"m":5}')
    bench.tables = {"outputs": Table(m=1), "rates:pi-a": Table()}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            bench.lease.epoch += "0"
            await bench.store.set(keys.learned("outputs"), strange)
            await bench.learned.take_over()
    assert bench.tables["outputs"].known == {"m": 1}
    assert bench.tables["rates:pi-a"].known == {"m": 5.0}
    assert len([r for r in caplog.records if "outputs is ignored" in r.getMessage()]) == 1

    await bench.later()
    assert await bench.kept() == b'{"m":1}'


async def test_a_key_of_another_type_is_replaced(bench: Bench) -> None:
    """Nobody else has business there."""
    await bench.store.sadd(keys.learned("outputs"), "x")
    bench.tables["outputs"].known = {"m": 1}
    await bench.learned.look()

    assert await bench.kept() == b'{"m":1}'


async def test_what_cannot_be_kept_costs_no_other_document(bench: Bench) -> None:
    """Too large, no JSON, or a fault in it; and the prompts' key is no document."""

    def broken() -> object:
        raise RuntimeError("a fault")

    await bench.store.set(keys.LEARNED_KEY, b"k" * 16)
    extra = {
        "large": Document(lambda: "x" * MOST_BYTES, print),
        "odd": Document(lambda: {1, 2}, print),
        "broken": Document(broken, print),
        "key": Document(lambda: "stolen", print),
        "sound": Document(lambda: [1], print),
    }
    bench.learned.documents = lambda: extra
    await bench.learned.look()

    assert [name for name in extra if await bench.kept(name)] == ["key", "sound"]
    assert await bench.store.get(keys.LEARNED_KEY) == b"k" * 16


async def test_the_number_of_documents_is_bounded(bench: Bench) -> None:
    """The store is small."""
    bench.tables = {f"rates:{i}": Table(m=i + 1) for i in range(MOST_DOCUMENTS + 9)}
    await bench.learned.look()

    assert bench.learned.writes == MOST_DOCUMENTS


async def test_a_store_that_is_away_is_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A takeover does not fail for it; what was not written is written later."""
    bench.tables["outputs"].known = {"m": 1}
    with monkeypatch.context() as patch:

        def away(*_: Any, **__: Any) -> Any:
            raise StoreConnectionError("away")

        patch.setattr(bench.store, "pipeline", away)
        await bench.learned.take_over()
        with pytest.raises(StoreConnectionError):
            await bench.learned.look()
    await bench.later()

    assert await bench.kept() == b'{"m":1}'
