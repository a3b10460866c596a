"""One request's life on a board: engine in, chunks and one final out, or given back.

Two tasks. The producer waits for the model and reads the engine. `_deliver` hands over to the
ledger what was produced, renews the lease while the engine keeps its budget, and learns of
cancels. A store that is away only delays delivery: the engine goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import anyio
from redis.exceptions import ResponseError

from orion_agent import answer
from orion_agent.engine import Done
from orion_agent.producer import Producer
from orion_agent.tools import AnswerTooLong, Outcome, Tools
from orion_agent.view import normal
from orion_contracts.errors import (
    EngineRefused,
    EngineRejected,
    EngineStalled,
    OrionError,
    StoreUnavailable,
)
from orion_contracts.health import Progress
from orion_contracts.ledger import FailureKind, Started
from orion_contracts.messages import InferenceRequest, Status

HEARTBEAT_S = 1.0
ASK_S = 3.0
logger = logging.getLogger("orion.worker.runner")


class Attempt:
    """One run of one request."""

    def __init__(self, tools: Tools, request: InferenceRequest, started: Started) -> None:
        self._t, self._request, self._started = tools, request, started
        self._producer = Producer(tools, request, started)
        self._outbox, self._timing = self._producer.outbox, self._producer.timing
        self._deadline_s = time.monotonic() + started.remaining_ms / 1000

    def progress(self) -> Progress:
        """How far the engine is."""
        return self._producer.progress(self._request.request_id, time.monotonic())

    async def run(self) -> Outcome:
        """Run to an end; never raises but for cancellation."""
        outcome = Outcome("fenced")
        async with anyio.create_task_group() as both:
            both.start_soon(self._producer.run)
            outcome = await self._deliver()
            if self._producer.ended is None:  # else it ends by itself, and a cancel is costly
                both.cancel_scope.cancel()
        return outcome

    async def _deliver(self) -> Outcome:
        outbox, last_emit_s, last_chunk_s = self._outbox, time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            if self._producer.ended is not None:
                return await self._conclude(self._producer.ended)
            if now >= self._deadline_s:
                return Outcome("late")  # the sweep closes it, or finds that the clock was stepped
            if self._producer.patience_left_s(now) <= 0 and not await self._producer.is_loading():
                return await self._conclude(EngineStalled("Ollama went silent; it may be hung"))
            due_s = (
                last_chunk_s + self._t.coalesce_s if outbox.waiting else last_emit_s + HEARTBEAT_S
            )
            if now >= due_s:
                verdict = await self._emit()
                if verdict == "FENCED":
                    return Outcome("fenced")
                if verdict == "CANCEL":
                    return await self._finish("cancelled")
                last_emit_s = time.monotonic()
                if outbox.seq:
                    last_chunk_s = last_emit_s
                continue
            wait_s = (
                min(due_s, self._deadline_s, now + max(self._producer.patience_left_s(now), 0.01))
                - now
            )
            await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        outbox = self._outbox
        if outbox.waiting:  # company may come, but only the end is worth waking for
            with anyio.move_on_after(seconds):
                while self._producer.ended is None:
                    await outbox.wake.wait()
                    if self._producer.ended is None:
                        outbox.wake = anyio.Event()
            return
        with anyio.move_on_after(seconds):
            await outbox.wake.wait()
        if self._producer.ended is None:
            outbox.wake = anyio.Event()

    async def _emit(self) -> str:
        payload = self._outbox.take_chunk(self._timing.residency, self._timing.queue_ms)
        verdict: str = await self._insist(
            lambda: self._t.ledger.emit(
                self._request.request_id, self._started.token, self._outbox.seq, payload
            ),
            "FENCED",
        )
        return verdict

    async def _conclude(self, ended: Done | OrionError) -> Outcome:
        match ended:
            case Done():
                outcome = await self._finish("completed", ended)
                if outcome.word == "completed":
                    self._learn(ended)
                return outcome
            case EngineRejected() | AnswerTooLong():
                return await self._finish("failed", error=ended)
            case EngineRefused() if ended.status == 0:  # not reached: waits until it is, uncounted
                return await self._release(FailureKind.NONE, ended)
            case EngineRefused():
                return await self._release(FailureKind.REFUSED, ended)
            case EngineStalled():  # a hang is no evidence of a crash
                return await self._release(FailureKind.LOSS, ended)
            case _:
                return await self._release(FailureKind.CRASH, ended)

    async def _finish(
        self, status: Status, done: Done | None = None, error: OrionError | None = None
    ) -> Outcome:
        outbox, timing = self._outbox, self._timing
        chunk = outbox.take_chunk(timing.residency, timing.queue_ms)
        spent = self._producer.spent(time.monotonic())
        payload = answer.final(
            self._request, self._t.node, self._started.attempt, status, outbox, timing,
            time.monotonic(), done, error, spent,
        )  # fmt: skip
        measured = answer.facts(self._request, timing, done).to_bytes() if done else b""
        closed = await self._insist(
            lambda: self._t.ledger.finish(
                self._request.request_id, self._started.token, status, payload,
                seq=outbox.seq, chunk=chunk, facts=measured,
            ),
            "FENCED",
        )  # fmt: skip
        if closed not in ("OK", "ALREADY"):
            return Outcome("fenced")
        first_s = None if timing.first_s is None else timing.first_s - timing.begun_s
        return Outcome(status, error, done, first_s, spent)

    async def _release(self, kind: FailureKind, error: OrionError) -> Outcome:
        logger.warning("request %s given back (%s): %s", self._request.request_id, kind, error)
        await self._t.before_release(error, self._request.model)
        await self._insist(
            lambda: self._t.ledger.release(
                self._request.request_id, self._started.token, kind, str(error)
            ),
            False,
        )
        return Outcome("released", error)

    async def _insist(self, call: Callable[[], Any], otherwise: Any) -> Any:
        """The ledger's answer, whenever it comes; `otherwise` when the deadline came first, or
        when it will never say anything else: then the lease lapses, and the sweep decides."""
        try:
            return await self._t.patience.insist(call, self._deadline_s)
        except StoreUnavailable:
            return otherwise
        except ResponseError as error:
            logger.error("request %s: the ledger cannot go on: %s", self._request.request_id, error)
            return otherwise

    def _learn(self, done: Done) -> None:
        self._t.rates.learn(
            normal(self._request.model),
            prompt_tokens=done.prompt_tokens or 0,
            prompt_s=done.prompt_s,
            output_tokens=done.output_tokens or 0,
            output_s=done.output_s,
        )
