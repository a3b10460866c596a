"""Noticing that the client has left."""

from __future__ import annotations

import asyncio
from types import TracebackType

from orion_router.gateway.body import Receive


class ClientWatch:
    """While the block runs, a leaving client ends it; `left` tells afterwards what happened.

    The request's body must have been read: then only the departure can arrive any more.
    """

    __slots__ = ("_receive", "_watch", "_worker", "left")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left = False

    async def __aenter__(self) -> ClientWatch:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a client is watched from inside a task")
        self._worker = task
        self._watch = asyncio.create_task(self._wait(), name="client watch")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._watch.cancel()
        if not self.left:
            return False
        # Only our own cancellation ends here; one from outside (shutdown) goes on.
        return self._worker.uncancel() == 0 and kind is asyncio.CancelledError

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self._worker.cancel("client left")
