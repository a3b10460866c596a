"""Bringing one answer to one client: the streaming state machine.

Headers wait for the first token or an error, so that a failure is a real status. Where the protocol
has comments they wait 15 s at most, then the connection is kept alive with comments and the facts
about the node follow in a last one. Other answers simply wait.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from orion_contracts.errors import OrionError
from orion_router.estimates import Standing
from orion_router.events import Final as FinalEvent
from orion_router.events import Piece
from orion_router.gateway.ask import Shape
from orion_router.gateway.body import Send
from orion_router.gateway.faults import Fault, fault_of, fault_of_final
from orion_router.gateway.headers import (
    REQUEST_ID,
    HeaderList,
    comment,
    final_facts,
    piece_facts,
    send_fault,
    send_whole,
    standing_facts,
    waiting,
)
from orion_router.gateway.ports import Following
from orion_router.gateway.replay import Diverged, Replay

log = logging.getLogger(__name__)

HOLD_S: Final = 15.0
FaultBody = Callable[[Fault], bytes]
AskStanding = Callable[[str], Awaitable[Standing | None]]


async def nowhere(request_id: str) -> Standing | None:
    """Nobody knows where it stands."""
    return None


class Delivery:
    """One answer under way."""

    def __init__(
        self,
        request_id: str,
        shape: Shape,
        fault_body: FaultBody,
        send: Send,
        hold_s: float = HOLD_S,
        standing: AskStanding = nowhere,
    ) -> None:
        self._id, self._shape, self._fault_body = request_id, shape, fault_body
        self._send, self._hold_s, self._standing = send, hold_s, standing
        self._early = False
        self.started = False

    async def stream(self, follower: Following) -> None:
        """The answer as it comes, to its end."""
        shape, replay = self._shape, Replay()
        patience_s = self._hold_s if shape.keep_alive else None
        while True:
            events = await follower.next(patience_s)
            if not events:
                if patience_s is not None:
                    await self._keep_alive()
                continue
            out: list[bytes] = []
            facts: HeaderList = []
            try:
                for event in events:
                    if isinstance(event, FinalEvent):
                        await self._end(event.payload, out, replay)
                        return
                    if not self.started and not facts:
                        facts = piece_facts(event)
                    self._note_model(event.fallback_from, event.model)
                    if deltas := replay.feed(event):
                        out.append(shape.pieces(deltas))
            except Diverged:
                await self._diverged(out)
                return
            if out:
                await self._put(b"".join(out), facts)

    async def whole(self, follower: Following) -> None:
        """The answer in one piece, when it is complete."""
        while True:
            for event in await follower.next(None):
                if isinstance(event, Piece):
                    continue
                final, facts = event.payload, final_facts(event.payload)
                if final.get("status", "completed") != "completed":
                    await self.fault(fault_of_final(final), facts)
                    return
                self._note_model(final.get("fallback_from"), final.get("model"))
                body = self._shape.whole(final)
                facts.append((REQUEST_ID, self._id.encode()))
                self.started = True
                await send_whole(self._send, 200, self._shape.whole_type, body, facts)
                return

    async def fault(self, fault: Fault, facts: HeaderList | None = None) -> None:
        """End with an error: a status where that is still possible, else the protocol's words."""
        if self.started:
            await self._close(self._shape.broken(fault))
            return
        self.started = True
        await send_fault(self._send, fault, self._fault_body(fault), self._id, facts)

    async def error(self, error: OrionError) -> None:
        """End with one of our errors."""
        await self.fault(fault_of(error))

    def _note_model(self, asked: str | None, used: str | None) -> None:
        if asked and used:
            self._shape.answered_by(used)

    async def _end(self, final: Mapping[str, Any], out: list[bytes], replay: Replay) -> None:
        if final.get("status", "completed") != "completed":
            if out:
                await self._put(b"".join(out), final_facts(final))
            await self.fault(fault_of_final(final), final_facts(final))
            return
        self._note_model(final.get("fallback_from"), final.get("model"))
        if rest := replay.rest(final):
            out.append(self._shape.pieces(rest))
        called = replay.called_tools or bool(final.get("tool_calls"))
        facts = final_facts(final)
        out.append(self._shape.end(final, called, comment(facts) if self._early else b""))
        if not self.started:
            await self._begin(facts)
        await self._close(b"".join(out))

    async def _diverged(self, out: list[bytes]) -> None:
        log.warning("request %s: a rerun said something else than what was sent", self._id)
        if out:
            await self._put(b"".join(out), [])
        await self.fault(
            Fault(
                502,
                "the board was lost in mid-answer and the rerun differs from what was sent; "
                f"the whole answer will be at /v1/requests/{self._id}",
                "answer_diverged",
            )
        )

    async def _keep_alive(self) -> None:
        standing = await self._standing(self._id)
        if not self.started:
            self._early = True
            await self._begin(standing_facts(standing))
        said = waiting(standing, self._shape.keep_alive)
        await self._send({"type": "http.response.body", "body": said, "more_body": True})

    async def _put(self, body: bytes, facts: HeaderList) -> None:
        if not self.started:
            await self._begin(facts)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _begin(self, facts: HeaderList) -> None:
        self.started = True
        headers = [
            (b"content-type", self._shape.stream_type),
            (REQUEST_ID, self._id.encode()),
            *facts,
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _close(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body})
