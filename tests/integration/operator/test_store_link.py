"""The operator's look at real stores, as the user that it has in a deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis.asyncio

from builders.clusters import report
from orion_contracts import keys
from orion_contracts.ledger.library import library_version
from orion_contracts.store import connect
from orion_lab.stores import KINDS, Kind, StoreProcess
from orion_operator.store_link import StoreLink
from servers.needs import demand
from servers.users import ADMIN, PASSWORDS, server_with_users

pytestmark = pytest.mark.integration
CONTENT = {"version": "1.0", "generation": 3, "timestamp": "2026-01-01T00:00:00Z", "source": "t"}


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store under the users of a deployment."""
    kind: Kind = request.param
    demand(kind)
    with server_with_users(kind, tmp_path / "store") as started:
        yield started


@pytest.fixture
async def link(server: StoreProcess) -> AsyncIterator[StoreLink]:
    """The operator's own."""
    address = f"127.0.0.1:{server.port}"
    made = StoreLink(connect(address, PASSWORDS["operator"], "operator", retries=1), address)
    yield made
    await made.close()


@pytest.fixture
async def admin(server: StoreProcess) -> AsyncIterator[redis.asyncio.Redis]:
    """Whoever else writes into the store."""
    made = redis.asyncio.Redis(
        port=server.port, username="admin", password=ADMIN, protocol=2, driver_info=None
    )
    async with made as client:
        yield client


async def test_one_look_sees_everything(link: StoreLink, admin: redis.asyncio.Redis) -> None:
    """Library loaded, settings read, boards and routers found; a router that died is forgotten."""
    store: Any = admin
    await store.hset(keys.node_health("pi"), mapping=report("pi", load_1m=2.0).to_hash())
    await store.set(keys.alive("pi"), "i1")
    await store.set(keys.drain("pi"), "1")
    await store.zadd(keys.QUEUE, {"r1": 1, "r2": 2})
    await store.xadd(keys.mailbox("alive"), {"type": "open"})
    await store.hset(keys.CONFIG_APPLIED, mapping={"alive": "3", "dead": "2", "odd": "x"})
    await store.set(keys.CONFIG, orjson.dumps(CONTENT))
    look = await link.look(["pi", "gone"])

    assert look.facts.trouble.reason == ""
    assert look.facts.advice == ""
    assert (look.facts.queue, look.facts.routers) == (2, {"alive": 3})
    assert look.config == CONTENT
    assert look.reads["pi"].report is not None
    assert (look.reads["pi"].alive, look.reads["pi"].marked) == (True, True)
    assert look.reads["gone"].report is None
    assert await store.hkeys(keys.CONFIG_APPLIED) == [b"alive"]
    assert await library_version(admin) > 0


async def test_what_was_spoilt_hides_nothing_else(
    link: StoreLink, admin: redis.asyncio.Redis
) -> None:
    """Keys of a wrong type, a report that breaks its schema, a document that is none."""
    store: Any = admin
    await store.set(keys.QUEUE, "no queue")
    await store.hset(keys.node_health("odd"), mapping={"version": "1.0", "slots": "many"})
    await store.set(keys.node_health("worse"), "no hash")
    await store.hset(keys.node_health("pi"), mapping=report("pi").to_hash())
    await store.set(keys.CONFIG, b'{"generation": 9}')
    look = await link.look(["odd", "worse", "pi"])

    assert look.facts.trouble.reason == ""
    assert look.facts.queue is None
    assert [n for n, read in look.reads.items() if read.report] == ["pi"]
    assert look.config == {"generation": 9}


async def test_the_configuration_is_written_and_taken_away(
    link: StoreLink, admin: redis.asyncio.Redis
) -> None:
    """Checked against the contract before it is written."""
    await link.write(CONTENT)
    raw: Any = await admin.get(keys.CONFIG)
    assert orjson.loads(raw) == CONTENT
    with pytest.raises(Exception, match="thresholds"):
        await link.write(CONTENT | {"thresholds": {"temperature": 5}})
    await link.forget()

    assert not await admin.exists(keys.CONFIG)


async def test_a_wrong_password_is_named(server: StoreProcess) -> None:
    """And not repeated."""
    address = f"127.0.0.1:{server.port}"
    link = StoreLink(connect(address, "wrong-one", "operator", retries=1), address)
    look = await link.look([])
    await link.close()

    assert look.facts.trouble.reason == "StoreRefusesPassword"
    assert "wrong-one" not in look.facts.trouble.message
