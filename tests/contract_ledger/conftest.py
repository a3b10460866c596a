"""The bench: a store of each kind with the library as it is in the checkout."""

from __future__ import annotations

import pytest
import redis.asyncio

from contract_ledger.kit import Bench
from orion_contracts.ledger import library_source
from servers.stores import Store

LOADED: set[int] = set()
"""Ports of the servers that have the library: it survives FLUSHALL and restarts."""


@pytest.fixture
async def bench(store: Store, store_client: redis.asyncio.Redis) -> Bench:
    """The ledger on an empty store, with the planner lease held."""
    port = store.process.port if store.process else 0
    if port not in LOADED:
        await store_client.function_load(library_source(), replace=True)
    if port:
        LOADED.add(port)
    return await Bench(store_client).begin()
