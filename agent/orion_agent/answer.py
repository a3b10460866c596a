"""The final of a request, from what the engine said (pure, but for the time stamp)."""

from __future__ import annotations

from orion_agent.energy import Spent
from orion_agent.engine import Done
from orion_agent.outbox import Outbox, dumps
from orion_contracts.errors import EngineError, OrionError
from orion_contracts.facts import Facts
from orion_contracts.messages import InferenceRequest, InferenceResponse, Status
from orion_contracts.stamp import iso_now

NIL_ID = "00000000-0000-0000-0000-000000000000"
"""Stands in an error response for an id that is none: responses must carry a UUID."""


def ms(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)


class Timing:
    """When things happened to one attempt (seconds of one monotonic clock)."""

    __slots__ = ("begun_s", "first_s", "load_wait_s", "queue_ms", "residency")

    def __init__(self, begun_s: float, queue_ms: int, residency: str) -> None:
        self.begun_s = begun_s
        self.queue_ms = queue_ms
        self.residency = residency
        self.load_wait_s = 0.0
        self.first_s: float | None = None


def final(
    request: InferenceRequest,
    node: str,
    attempt: int,
    status: Status,
    outbox: Outbox,
    timing: Timing,
    now_s: float,
    done: Done | None = None,
    error: OrionError | None = None,
    spent: Spent | None = None,
) -> bytes:
    """The InferenceResponse as JSON."""
    done = done or Done("")
    first_ms = None if timing.first_s is None else ms(timing.first_s - timing.begun_s)
    wall_s = now_s - timing.begun_s
    decode = done.output_tokens or 0
    embeds = request.operation == "embed"
    why, code = (str(error), error.code) if error else (None, None)
    if status == "cancelled":  # the ledger's own words, for one that was cancelled before it ran
        why, code = "cancelled by its client", "cancelled"
    response = InferenceResponse(
        request_id=request.request_id,
        model=request.called,
        fallback_from=request.fallback_from or None,
        timestamp=iso_now(),
        source=source(node),
        status=status,
        response=None if status == "failed" and not outbox.text else outbox.text,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=outbox.tokens if done.output_tokens is None and not embeds else decode,
        load_duration_ms=ms(timing.load_wait_s + done.load_s),
        total_duration_ms=ms(timing.load_wait_s + done.total_s if done.total_s else wall_s),
        error=why,
        error_code=code,
        error_status=(error.status or None) if isinstance(error, EngineError) else None,
        node=node,
        attempt=attempt,
        finish_reason=done.reason or None,
        queue_ms=timing.queue_ms,
        time_to_first_token_ms=first_ms,
        tokens_per_second=round(decode / done.output_s, 2) if done.output_s > 0 else None,
        joules=None if spent is None else round(spent.joules, 2),
        joules_source=None if spent is None else spent.origin,
        residency=timing.residency,
        thinking=outbox.thinking or None,
        tool_calls=tuple(outbox.tool_calls) or None,
        context=done.context,
        prompt_eval_duration_ms=round(done.prompt_s * 1000, 3) if done.total_s else None,
        eval_duration_ms=round(done.output_s * 1000, 3) if done.total_s else None,
    )
    return dumps(response.to_wire())


def facts(request: InferenceRequest, timing: Timing, done: Done) -> Facts:
    """What the run measured, for whoever plans the next one."""
    return Facts(
        model=request.model,
        prompt_tokens=done.prompt_tokens or 0,
        prompt_s=done.prompt_s,
        output_tokens=done.output_tokens or 0,
        output_s=done.output_s,
        load_s=timing.load_wait_s + done.load_s,
        residency="cold" if timing.residency == "cold" else "warm",
        reason=done.reason,
    )


def refusal(request_id: str, model: str, node: str, error: OrionError) -> bytes:
    """The answer to an entry that is no valid request."""
    response = InferenceResponse(
        request_id=request_id or NIL_ID,
        model=model,
        timestamp=iso_now(),
        source=source(node),
        status="rejected",
        error=str(error),
        error_code=error.code,
        error_status=error.http_status,
        node=node,
    )
    return dumps(response.to_wire())


def source(node: str) -> str:
    """Who says it."""
    return f"orion-inference-worker/{node}"
