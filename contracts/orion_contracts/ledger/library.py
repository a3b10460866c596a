"""The function library's source, and how a process makes sure that the store has it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from orion_contracts.errors import StoreUnavailable


@cache
def library_source() -> str:
    """The Lua source: the files of `lua/` in order of their names."""
    folder = files("orion_contracts.ledger") / "lua"
    parts = sorted((p for p in folder.iterdir() if p.name.endswith(".lua")), key=lambda p: p.name)
    return "\n".join(p.read_text() for p in parts)


def _source_version() -> int:
    match = re.search(r"^local VERSION = (\d+)$", library_source(), re.MULTILINE)
    if match is None:  # pragma: no cover - a packaging fault
        raise StoreUnavailable("the packaged function library names no version; reinstall")
    return int(match[1])


VERSION = _source_version()


async def library_version(store: Redis) -> int:
    """The version that the store has loaded; 0 when none."""
    try:
        return int(await store.fcall("orion_version", 0))
    except NoPermissionError:
        raise
    except ResponseError as error:
        if "unknown command" in str(error).lower():
            raise StoreUnavailable(
                "this store knows no functions: use Redis 7.0 or later, or Valkey"
            ) from error
        return 0


async def ensure_library(store: Redis) -> int:
    """Load the library where it is missing or older than ours; returns the version now loaded.

    Level-triggered: call it at start, every 10 s and after a reconnect. A newer one is left alone
    (a process one version behind keeps working). Raises StoreUnavailable with the command to run
    where this user may not load functions.
    """
    loaded = await library_version(store)
    if loaded >= VERSION:
        return loaded
    try:
        await store.function_load(library_source(), replace=True)
    except NoPermissionError as error:
        raise StoreUnavailable(
            "the store lacks the ledger's function library and this user may not load it "
            f"(version {VERSION} is needed, the store has {loaded or 'none'}); start the operator, "
            "or as an administrator run: orion ledger | redis-cli -x FUNCTION LOAD REPLACE"
        ) from error
    return VERSION
