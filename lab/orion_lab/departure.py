"""Noticing that the client has left, and stopping the work done for it."""

import asyncio
from types import TracebackType

from starlette.types import Receive


class ClientWatch:
    """While the block runs, a leaving client cancels it; the cancellation ends at the block.

    The body of the request must have been read. `left` tells afterwards what happened.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left = False

    async def __aenter__(self) -> "ClientWatch":
        task = asyncio.current_task()
        assert task is not None
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


async def read_body(receive: Receive) -> bytes:
    """The whole request body."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
