"""How the ledger's functions are called."""

from __future__ import annotations

import time
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from orion_contracts.errors import StoreUnavailable
from orion_contracts.hotline import Hotline
from orion_contracts.ledger.library import ensure_library
from orion_contracts.ledger.replies import LeaseTimes, Limits

REFUSED_PAUSE_S = 1.0
"""How long a user that may not load the library does not try it again."""


class Connection:
    """Calls functions of the library over one client. Raises redis' errors as they are."""

    def __init__(
        self, store: Redis, times: LeaseTimes | None = None, limits: Limits | None = None
    ) -> None:
        self._store = store
        self.times = times or LeaseTimes()
        limits = limits or Limits()
        self._limits = (limits.crashes, limits.losses, limits.refusals)
        self._refused_s = float("-inf")

    async def _call(self, name: str, *args: str | int | bytes) -> Any:
        try:
            return await self._send(name, *args)
        except ResponseError as error:
            if "unction not found" not in str(error) or not await self._reload():
                raise
        return await self._send(name, *args)

    async def _send(self, name: str, *args: str | int | bytes) -> Any:
        if isinstance(self._store, Hotline):
            return await self._store.call("FCALL", f"orion_{name}", 0, *args)
        store: Any = self._store  # untyped below this point
        return await store.execute_command("FCALL", f"orion_{name}", 0, *args)

    async def _reload(self) -> bool:
        """The store lost its functions: loaded at once where this user may. Nothing was done yet,
        so the call can be made again."""
        if time.monotonic() - self._refused_s < REFUSED_PAUSE_S:
            return False
        try:
            await ensure_library(self._store)
        except StoreUnavailable:
            self._refused_s = time.monotonic()
            return False
        return True
