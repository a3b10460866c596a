"""The bench: a store of each kind with the library as it is in the checkout."""

from __future__ import annotations

import pytest
import redis.asyncio

from contract_ledger.kit import Bench
from orion_contracts.ledger import library_source


@pytest.fixture
async def bench(store_client: redis.asyncio.Redis) -> Bench:
    """The ledger on an empty store, with the planner lease held."""
    await store_client.function_load(library_source(), replace=True)
    return await Bench(store_client).begin()
