"""Cancelling what clients have left behind, also when the store cannot take it at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from orion_contracts.errors import StoreUnavailable
from orion_contracts.ledger import LeaseTimes

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
LONGEST_MS: Final = LeaseTimes().backstop_ms
"""A request that names no deadline ends by then in any case."""
MOST_OWED: Final = 4096


class Farewells:
    """Cancels now where the store answers, and owes the others until it does or their deadline
    has passed. What is still owed when the router ends runs into its deadline."""

    def __init__(
        self,
        cancel: Callable[[str], Awaitable[str]],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancel, self._clock_s = cancel, clock_s
        self._owed: dict[str, float] = {}
        self._more = anyio.Event()

    @property
    def owed(self) -> int:
        """How many cancels the store has yet to take."""
        return len(self._owed)

    async def say(self, request_id: str, deadline_ms: int | None) -> None:
        """Nobody waits for this request any more."""
        try:
            await self._cancel(request_id)
        except StoreUnavailable:
            log.info("request %s: the store is away; to be cancelled when it is back", request_id)
            self.owe(request_id, deadline_ms)

    def owe(self, request_id: str, deadline_ms: int | None) -> None:
        """Cancel it when the store is back. `deadline_ms`: from its acceptance, so no later than
        that from now on."""
        if len(self._owed) >= MOST_OWED:
            lost = next(iter(self._owed))
            del self._owed[lost]
            log.warning("request %s: not cancelled; it runs into its deadline", lost)
        self._owed[request_id] = self._clock_s() + (deadline_ms or LONGEST_MS) / 1000
        self._more.set()

    def forgive(self, request_id: str) -> None:
        """Somebody asks for this request again."""
        self._owed.pop(request_id, None)

    async def run(self) -> None:
        """Pay what is owed, until cancelled."""
        try:
            while True:
                await self._more.wait()
                self._more = anyio.Event()
                while self._owed:
                    if not await self._pay():
                        await anyio.sleep(RETRY_S)
        finally:
            if self._owed:
                log.warning("%d requests of clients that left run into their deadlines: the store "
                            "was away", len(self._owed))  # fmt: skip

    async def _pay(self) -> bool:
        """The oldest one; False when the store does not take it, and another's turn comes."""
        request_id, until_s = next(iter(self._owed.items()))
        if self._clock_s() < until_s:
            try:
                await self._cancel(request_id)
            except StoreUnavailable:
                if self._owed.pop(request_id, None) is not None:  # not forgiven meanwhile
                    self._owed[request_id] = until_s
                return False
            log.info("request %s: cancelled, now that the store takes it", request_id)
        self._owed.pop(request_id, None)
        return True
