"""The ledger's functions as typed calls. Each is safe to repeat verbatim after a lost reply."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, cast

from orion_contracts.entry_kinds import SAMPLE_BYTES
from orion_contracts.fingerprint import fingerprint
from orion_contracts.ledger.boards import BoardCalls
from orion_contracts.ledger.planning import PlannerCalls
from orion_contracts.ledger.replies import (
    Admission,
    Attached,
    Closed,
    DirectEntry,
    Dispatched,
    FailureKind,
    Obstacle,
    Started,
)
from orion_contracts.messages import PRIORITY_CLASS, InferenceRequest
from orion_contracts.spelling import reason_bytes, text, whole
from orion_contracts.stamp import iso_now

NOWHERE = DirectEntry("", "", "")


class Ledger(BoardCalls, PlannerCalls):
    """Typed access to the function library over one client. Raises redis' errors as they are."""

    def _admission(
        self,
        request: InferenceRequest,
        body: bytes,
        meta: bytes,
        mailbox: str,
        mark: str,
        caps: tuple[int, int],
        on_full: str,
        source: DirectEntry,
    ) -> list[str | int | bytes]:
        return [
            request.request_id,
            request.reply_stream,
            mailbox,
            request.deadline_ms or self.times.backstop_ms,
            body,
            meta,
            PRIORITY_CLASS[request.priority],
            1 if request.stream else 0,
            request.called,
            mark or fingerprint(body),
            *caps,
            on_full,
            iso_now(),
            *source,
        ]

    async def admit(
        self,
        request: InferenceRequest,
        body: bytes,
        meta: bytes,
        *,
        mailbox: str = "",
        mark: str = "",
        max_requests: int = 256,
        max_bytes: int = 64 * 1024 * 1024,
        source: DirectEntry = NOWHERE,
        node: str = "",
        epoch: str = "",
        depth: int = 1,
    ) -> Admission:
        """Accept a request. With `node`, `epoch`: dispatch it in the same step where possible.

        `source` names the intake entry that carried it, settled in the same step; such a request
        gets a final when the queue is full, one without is refused without a trace. `mark`
        replaces the body's fingerprint where the body holds fields of our own making.
        """
        on_full = "final" if source.entry else "refuse"
        args = self._admission(
            request, body, meta, mailbox, mark, (max_requests, max_bytes), on_full, source
        )
        nonce = secrets.token_hex(6)
        reply = await self._call("admit", *args, node, epoch, depth, nonce, self.times.assign_ms)
        state, *rest = [text(v) for v in cast(list[Any], reply)]
        if state == "DUP":
            return Admission(state, rest[0], rest[1], int(rest[2]))
        if state == "ASSIGNED":
            return Admission(state, node, attempt=int(rest[1]))
        return Admission(state, rest[0])

    async def take(
        self,
        request: InferenceRequest,
        body: bytes,
        meta: bytes,
        source: DirectEntry,
        node: str,
        incarnation: str,
        mark: str = "",
    ) -> Started | None:
        """Admit a request found on a board's own stream and run it there; None: seen before."""
        args = self._admission(request, body, meta, "", mark, (1, 1), "final", source)
        nonce = secrets.token_hex(6)
        reply = cast(
            list[Any],
            await self._call("take", *args, node, incarnation, nonce, self.times.run_ms),
        )
        if text(reply[0]) != "RUN":
            return None
        return Started(text(reply[1]), body, int(reply[3]), int(reply[4]), int(reply[5]))

    async def refuse(
        self,
        source: DirectEntry,
        request_id: str,
        callback: str,
        final: bytes,
        why: str,
        sample: bytes,
    ) -> None:
        """Settle an entry that is no valid request: error answer (where possible), dead letter
        with the beginning of `sample`, as text whatever its bytes are."""
        said, kept = why.encode("utf-8", "replace"), whole(sample, SAMPLE_BYTES)
        await self._call("refuse", *source, request_id, callback, final, said, kept)

    async def dispatch(self, request_id: str, node: str, epoch: str, depth: int) -> Dispatched:
        """Give a queued request to a board that has fewer than `depth` in flight."""
        nonce = secrets.token_hex(6)
        reply = cast(
            list[Any],
            await self._call(
                "dispatch", request_id, node, epoch, depth, nonce, self.times.assign_ms
            ),
        )
        state = text(reply[0])
        if state == "ASSIGNED":
            return Dispatched(None, text(reply[1]), int(reply[2]))
        return Dispatched(Obstacle(state))

    async def start(
        self, node: str, entry: str, request_id: str, token: str, incarnation: str
    ) -> Started | None:
        """Begin what a doorbell announced; None: it is no longer ours."""
        reply = cast(
            list[Any],
            await self._call(
                "start", node, entry, request_id, token, incarnation, self.times.run_ms
            ),
        )
        if text(reply[0]) != "RUN":
            return None
        return Started(text(reply[1]), reply[2], int(reply[3]), int(reply[4]), int(reply[5]))

    async def emit(self, request_id: str, token: str, seq: int = 0, payload: bytes = b"") -> str:
        """Publish a chunk and renew the lease; OK, FENCED or CANCEL. Empty: only renew."""
        return text(await self._call("emit", request_id, token, self.times.run_ms, seq, payload))

    async def finish(
        self,
        request_id: str,
        token: str,
        status: str,
        final: bytes,
        *,
        seq: int = 0,
        chunk: bytes = b"",
        dead: str = "",
        facts: bytes = b"",
    ) -> Closed:
        """Publish the last chunk and the final, and close the record, once. `dead`: also bury.

        `facts`: what the run measured (`Facts.to_bytes`), told to planners with the doorbell.
        """
        args = (request_id, token, status.upper(), final, seq, chunk, dead)
        more = (facts,) if facts else ()
        return Closed(text(await self._call("finish", *args, *more)))

    async def release(self, request_id: str, token: str, kind: FailureKind, why: str) -> bool:
        """Give running or assigned work back to its place in the queue; False: no longer ours."""
        reply = await self._call(
            "release", request_id, token, kind.value, reason_bytes(why), iso_now(), *self._limits
        )
        return text(reply) == "OK"

    async def cancel(self, request_id: str) -> str:
        """UNKNOWN, a terminal state (CANCELLED now or what it was before), or PENDING."""
        return text(await self._call("cancel", request_id, iso_now()))

    async def attach(self, request_id: str, mailbox: str) -> Attached:
        """Send further chunks to this mailbox."""
        state, attempt = cast(Sequence[Any], await self._call("attach", request_id, mailbox))
        return Attached(text(state), int(attempt or 0))
