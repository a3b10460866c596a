"""Functions that were flushed from the store come back with the next call that needs one."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import NoPermissionError, ResponseError

from orion_contracts.ledger import Ledger, ensure_library
from orion_contracts.store import connect
from servers.stores import Store

pytestmark = pytest.mark.integration


async def test_the_first_call_after_a_flush_is_answered(
    store_client: redis.asyncio.Redis, store: Store
) -> None:
    """It loads the library and is made again: nobody waits for the next look."""
    await ensure_library(store_client)
    clients: list[Any] = [store_client]
    if store.process is not None:
        clients.append(connect(f"127.0.0.1:{store.process.port}"))
    for client in clients:
        await store_client.function_flush()
        assert await Ledger(client).cancel(str(uuid.uuid4())) == "UNKNOWN"
    for client in clients[1:]:
        await client.aclose()


async def test_who_may_not_load_it_is_told_so_and_does_not_insist(
    store_client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call fails in the store's words; the load is not tried with every call."""
    await ensure_library(store_client)
    await store_client.function_flush()
    tried: list[int] = []

    async def refused(*_: Any, **__: Any) -> Any:
        tried.append(1)
        raise NoPermissionError("no")

    ledger = Ledger(store_client)
    with monkeypatch.context() as patch:
        patch.setattr(store_client, "function_load", refused)
        for _ in range(3):
            with pytest.raises(ResponseError, match="unction not found"):
                await ledger.cancel(str(uuid.uuid4()))
    assert len(tried) == 1
    await ensure_library(store_client)
