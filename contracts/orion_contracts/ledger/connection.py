"""How the ledger's functions are called."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from orion_contracts.hotline import Hotline
from orion_contracts.ledger.replies import LeaseTimes, Limits


class Connection:
    """Calls functions of the library over one client. Raises redis' errors as they are."""

    def __init__(
        self, store: Redis, times: LeaseTimes | None = None, limits: Limits | None = None
    ) -> None:
        self._store = store
        self.times = times or LeaseTimes()
        limits = limits or Limits()
        self._limits = (limits.crashes, limits.losses, limits.refusals)

    async def _call(self, name: str, *args: str | int | bytes) -> Any:
        if isinstance(self._store, Hotline):
            return await self._store.call("FCALL", f"orion_{name}", 0, *args)
        store: Any = self._store  # untyped below this point
        return await store.execute_command("FCALL", f"orion_{name}", 0, *args)
