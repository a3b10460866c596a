"""One client's view of one request: events in order, each once, whatever path they came by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from orion_router.events import Event, Final, Piece


class Follower:
    """Collects a request's events. Fed by the mailbox and, after a gap, by the durable stream.

    Not thread-safe; lives on the event loop. `needs_replay` tells that pieces are missing and have
    to be read from the durable stream before newer ones are handed out.
    """

    def __init__(
        self,
        request_id: str,
        after: tuple[int, int] = (0, 0),
        on_close: Callable[[Follower], None] | None = None,
        on_gap: Callable[[Follower], None] | None = None,
    ) -> None:
        self.request_id = request_id
        self.last = after
        self.final: Final | None = None
        self.needs_replay = False
        self._held: dict[tuple[int, int], Piece] = {}
        self._held_final: Final | None = None
        self._ready: list[Event] = []
        self._waiter: asyncio.Future[None] | None = None
        self._on_close = on_close
        self._on_gap = on_gap

    def feed(self, event: Event) -> None:
        """Take an event from the mailbox; out-of-order ones are held until the gap is filled."""
        if self.final is not None:
            return
        if isinstance(event, Final):
            if self._held:
                self._held_final = event
            else:
                self._finish(event)
        elif (event.attempt, event.seq) > self.last:
            if self._follows(event):
                self._accept(event)
            else:
                self._held[(event.attempt, event.seq)] = event
                self._mark_gap()
        self._wake()

    def replay(self, events: list[Event]) -> None:
        """Take all that the durable stream holds after `last`; what was held comes after it."""
        self.needs_replay = False
        final: Final | None = self._held_final
        for event in events:
            if isinstance(event, Final):
                final = event
            elif (event.attempt, event.seq) > self.last:
                self._accept(event)
        for key in sorted(self._held):
            if key > self.last:
                self._accept(self._held[key])
        self._held.clear()
        self._held_final = None
        if final is not None and self.final is None:
            self._finish(final)
        self._wake()

    async def next(self, timeout_s: float | None) -> list[Event]:
        """The events since the last call; waits for at least one, or returns [] on timeout."""
        if not self._ready:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(timeout_s, self._wake) if timeout_s is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        events, self._ready = self._ready, []
        return events

    def close(self) -> None:
        """Stop following. The request goes on."""
        if self._on_close is not None:
            self._on_close(self)
            self._on_close = None

    def _follows(self, piece: Piece) -> bool:
        attempt, seq = self.last
        if piece.attempt == attempt:
            return piece.seq == seq + 1
        return piece.seq == 1  # a new attempt begins anew

    def _accept(self, piece: Piece) -> None:
        self.last = (piece.attempt, piece.seq)
        self._ready.append(piece)

    def _finish(self, final: Final) -> None:
        self.final = final
        self._ready.append(final)

    def _mark_gap(self) -> None:
        if not self.needs_replay:
            self.needs_replay = True
            if self._on_gap is not None:
                self._on_gap(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
