"""The bench: a store of each kind with the library as it is in the checkout.

The real servers come twice: as they are, and under the users of a deployment (acl.py), so that
every step of the ledger is proven to need no more rights than its caller has.
"""

from __future__ import annotations

from typing import cast

import pytest
import redis.asyncio

from contract_ledger.kit import Bench
from orion_contracts.ledger import library_source
from orion_lab.stores import KINDS, Kind, StoreProcess
from servers.needs import demand
from servers.stores import Store, fake_store, real_store, start_server
from servers.users import server_with_users, store_of_users

LOADED: set[int] = set()
"""Ports of the servers that have the library: it survives FLUSHALL and restarts."""


@pytest.fixture(params=["fakeredis", *KINDS, *(f"{kind}-users" for kind in KINDS)])
def store(
    request: pytest.FixtureRequest,
    store_servers: dict[str, StoreProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """An empty store of each kind; `-users`: each call as the user that makes it."""
    name = cast(str, request.param)
    if name == "fakeredis":
        return fake_store()
    kind = cast(Kind, name.removesuffix("-users"))
    demand(kind)
    if name != kind:
        return store_of_users(guarded(kind, store_servers, tmp_path_factory))
    if name not in store_servers:
        store_servers[name] = start_server(kind, tmp_path_factory.mktemp(name))
    return real_store(store_servers[name])


def guarded(
    kind: Kind, servers: dict[str, StoreProcess], tmp_path_factory: pytest.TempPathFactory
) -> StoreProcess:
    """The one server of that kind under the users of a deployment."""
    name = f"{kind}-users"
    if name not in servers:
        servers[name] = server_with_users(kind, tmp_path_factory.mktemp(name)).start()
    return servers[name]


@pytest.fixture(params=KINDS)
def users(
    request: pytest.FixtureRequest,
    store_servers: dict[str, StoreProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> StoreProcess:
    """A server of each kind under the users of a deployment; what it holds is left from before."""
    demand(request.param)
    return guarded(request.param, store_servers, tmp_path_factory)


@pytest.fixture
async def bench(store: Store, store_client: redis.asyncio.Redis) -> Bench:
    """The ledger on an empty store, with the planner lease held."""
    port = store.process.port if store.process else 0
    if port not in LOADED:
        await store_client.function_load(library_source(), replace=True)
    if port:
        LOADED.add(port)
    return await Bench(store_client).begin()
