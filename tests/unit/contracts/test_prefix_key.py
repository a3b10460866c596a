"""The key of an installation's prompt hashes."""

from __future__ import annotations

import pytest

from orion_contracts import keys
from orion_contracts.prefix_key import KEY_BYTES, ensure_prefix_key, usable
from servers.stores import fake_store

pytestmark = pytest.mark.may_block("fakeredis")


async def test_one_key_for_all_routers() -> None:
    """The first makes it, the others take it; it stays until the store forgets it."""
    async with fake_store().connect() as store:
        first = await ensure_prefix_key(store)

        assert len(first) == KEY_BYTES
        assert await ensure_prefix_key(store) == first
        assert await store.ttl(keys.LEARNED_KEY) == -1
        await store.delete(keys.LEARNED_KEY)
        assert await ensure_prefix_key(store) != first


@pytest.mark.parametrize("strange", [b"", b"short", b"x" * 65])
async def test_what_can_be_no_key_is_none(strange: bytes) -> None:
    """It is left alone, and nobody hashes with it."""
    async with fake_store().connect() as store:
        await store.set(keys.LEARNED_KEY, strange)

        assert await ensure_prefix_key(store) == b""


async def test_another_type_is_no_key() -> None:
    """Neither an error of the store, nor none."""
    async with fake_store().connect() as store:
        await store.xadd(keys.LEARNED_KEY, {"a": "b"})

        assert await ensure_prefix_key(store) == b""
    assert usable(None) == usable(ValueError()) == b""
