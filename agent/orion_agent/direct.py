"""Requests that a producer put straight on this board's stream: checked, refused or taken."""

from __future__ import annotations

from anyio import to_thread

from orion_agent.answer import refusal
from orion_contracts import limits
from orion_contracts.entry_kinds import INLINE_BYTES, sample
from orion_contracts.errors import InvalidRequest
from orion_contracts.ledger import DirectEntry, Ledger, Started
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe
from orion_contracts.naming import Understood
from orion_contracts.sizes import Limits
from orion_contracts.traces import Traces, traces


async def read(raw: bytes, most: Limits) -> InferenceRequest:
    """The request in these bytes, or InvalidRequest."""
    if len(raw) > INLINE_BYTES:
        return await to_thread.run_sync(limits.read_request, raw, most)
    return limits.read_request(raw, most)


async def look(raw: bytes, most: Limits) -> Traces:
    """What an invalid entry tells about where to answer."""
    if len(raw) > INLINE_BYTES:
        return await to_thread.run_sync(_look, raw, most)
    return _look(raw, most)


def _look(raw: bytes, most: Limits) -> Traces:
    try:
        return traces(raw, limits.parse_json(raw, most))
    except InvalidRequest:
        return traces(raw)


async def refuse(
    ledger: Ledger, node: str, entry: DirectEntry, raw: bytes, error: InvalidRequest, told: Traces
) -> None:
    """Settle an invalid entry: an error answer where it names a usable place, a dead letter."""
    request_id, callback, model = told
    final = refusal(request_id, model, node, error)
    await ledger.refuse(
        entry, request_id, callback, final, f"{error.code}: {error}"[:300], sample(raw)
    )


async def take(
    ledger: Ledger, node: str, incarnation: str, entry: DirectEntry, asked: Understood, key: bytes,
) -> Started | None:  # fmt: skip
    """Admit the request and begin to run it here, in one step; None: it was seen before."""
    meta = describe(asked.request, pin=node, key=key, body_bytes=len(asked.body))
    return await ledger.take(
        asked.request, asked.body, meta.to_bytes(), entry, node, incarnation, asked.mark
    )


async def pass_on(ledger: Ledger, entry: DirectEntry, asked: Understood, key: bytes) -> None:
    """Admit the request without a pin: this board may not run it now, so a router places it."""
    meta = describe(asked.request, key=key, body_bytes=len(asked.body))
    await ledger.admit(asked.request, asked.body, meta.to_bytes(), source=entry, mark=asked.mark)
