"""The key of this installation's prompt hashes: made once by a router, read by everybody."""

from __future__ import annotations

import secrets

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from orion_contracts import keys

KEY_BYTES = 16
MOST_KEY_BYTES = 64
"""What the hash takes."""


async def ensure_prefix_key(store: Redis) -> bytes:
    """The key in the store, made where there is none. Empty where something else lies there:
    then nobody hashes, and plans do without. Raises redis' errors of a store that is away."""
    try:
        await store.set(keys.LEARNED_KEY, secrets.token_bytes(KEY_BYTES), nx=True)
        return usable(await store.get(keys.LEARNED_KEY))
    except ResponseError as error:
        return usable(error)


def usable(value: object) -> bytes:
    """What the store answered as a key; empty for what can be none."""
    return value if isinstance(value, bytes) and KEY_BYTES <= len(value) <= MOST_KEY_BYTES else b""
