"""Store calls that outlive the store's restarts. Every call of the ledger is safe to repeat.

Repeated is what the store may answer otherwise some day: it is away, full, read-only, busy. An
error that lasts, for what a key or an argument holds, goes to the caller at once: it has a slot.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from orion_contracts.errors import StoreUnavailable
from orion_contracts.ledger import is_lasting
from orion_contracts.ledger.library import ensure_library

T = TypeVar("T")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5
logger = logging.getLogger("orion.worker.store")


class Patience:
    """Repeats a call until the store answers, and says once when it does not."""

    def __init__(self, store: Redis) -> None:
        self._store = store
        self.away = False
        self.retries = 0
        self._said = ""

    async def insist(
        self,
        call: Callable[[], Awaitable[T]],
        until_s: float = float("inf"),
        *,
        whatever: bool = False,
    ) -> T:
        """The call's answer. Raises StoreUnavailable when `until_s` (monotonic) has passed, and
        redis' ResponseError where it lasts: unless `whatever`, when nothing else can be done
        before somebody has mended the store."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer = await call()
            except (RedisError, OSError, StoreUnavailable) as error:
                if is_lasting(error) and not whatever:
                    raise
                await self._note(error)
                if time.monotonic() + pause_s > until_s:
                    raise StoreUnavailable(f"the store did not answer in time: {error}") from error
                await anyio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if self.away:
                    self.away = False
                    logger.info("the store answers again")
                return answer

    async def _note(self, error: Exception) -> None:
        self.retries += 1
        if not self.away or str(error) != self._said:
            self.away, self._said = True, str(error)
            logger.warning("the store does not answer (%s); trying on", error)
        if isinstance(error, ResponseError) and "unction not found" in str(error):
            await self.library()

    async def library(self) -> bool:
        """Load the ledger's function library if the store lacks it and we may; best effort."""
        try:
            await ensure_library(self._store)
        except StoreUnavailable as error:
            logger.error("%s", error)
        except (RedisError, OSError) as error:
            logger.warning("the ledger's library could not be checked: %s", error)
        else:
            return True
        return False
