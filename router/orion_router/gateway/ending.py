"""What clients hear when the server ends before their answer does: a whole sentence, no traceback.

The work itself goes on: whoever knows the request's id finds its answer at another router, or here
after the restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress

from starlette.types import ASGIApp

from orion_router.gateway.body import Message, Receive, Scope, Send
from orion_router.gateway.faults import ENDING, spell_for
from orion_router.gateway.headers import send_fault

log = logging.getLogger(__name__)

LAST_WORDS_S = 1.0
"""For a client that does not read what it is sent."""


async def last_words(said: Awaitable[None]) -> None:
    """Say it, if the client takes it."""
    with suppress(Exception):
        async with asyncio.timeout(LAST_WORDS_S):
            await said


class Finished:
    """An application whose answers are ended properly when the server cuts them off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One exchange."""
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            await last_words(answer.end(scope["path"]))
            raise


class _Answer:
    """Passes an answer on and knows how far it got."""

    __slots__ = ("_begun", "_complete", "_send")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._complete = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._complete = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def end(self, path: str) -> None:
        """An error where nothing was sent; the end of a stream where something was: event streams
        are taken up again by their readers."""
        if not self._begun:
            await send_fault(self._send, ENDING, spell_for(path)(ENDING), "")
        elif not self._complete:
            await self._send({"type": "http.response.body", "body": b""})
