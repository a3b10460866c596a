"""One request's life on a board: engine in, chunks and one final out, or given back.

Two tasks. `_produce` waits for the model and reads the engine. `_deliver` hands over to the ledger
what was produced, renews the lease while the engine keeps its budget, and learns of cancels. A
store that is away only delays delivery: the engine goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from orion_agent import answer
from orion_agent.engine import Done, Engine
from orion_agent.loader import Loader
from orion_agent.outbox import Outbox
from orion_agent.patience import Patience
from orion_agent.rates import Rates
from orion_agent.stall import Silence, prefill_budget_s
from orion_agent.view import EngineView, normal
from orion_contracts.errors import (
    EngineCrashed,
    EngineError,
    EngineRefused,
    EngineRejected,
    EngineStalled,
    OrionError,
    StoreUnavailable,
)
from orion_contracts.ledger import FailureKind, Ledger, Started
from orion_contracts.messages import InferenceRequest, Status
from orion_contracts.meta import describe

HEARTBEAT_S = 1.0
ASK_S = 3.0
logger = logging.getLogger("orion.worker.runner")


class AnswerTooLong(OrionError):
    """The answer passes what the store should hold."""

    code = "response_too_large"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `completed`, `failed`, `cancelled`, `released`, `fenced`, `late`."""

    word: str
    error: OrionError | None = None
    done: Done | None = None
    first_token_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt needs."""

    node: str
    ledger: Ledger
    patience: Patience
    engine: Engine
    loader: Loader
    view: EngineView
    rates: Rates
    stall_prefill_s: float
    stall_token_s: float
    coalesce_s: float
    before_release: Callable[[OrionError, str], Awaitable[None]]
    """Awaited before work goes back: the planner has to see why before it plans again."""


class Attempt:
    """One run of one request."""

    def __init__(self, tools: Tools, request: InferenceRequest, started: Started) -> None:
        self._t, self._request, self._started = tools, request, started
        now = time.monotonic()
        warm = tools.view.is_resident(request)
        self._timing = answer.Timing(now, started.queue_ms, "warm" if warm else "cold")
        self._deadline_s = now + started.remaining_ms / 1000
        self._outbox = Outbox(
            request.request_id, started.attempt, answer.source(tools.node), request.stream
        )
        self._silence = Silence(now, tools.stall_prefill_s)
        self._load_until_s = now
        self._ended: Done | OrionError | None = None

    async def run(self) -> Outcome:
        """Run to an end; never raises but for cancellation."""
        outcome = Outcome("fenced")
        async with anyio.create_task_group() as both:
            both.start_soon(self._produce)
            outcome = await self._deliver()
            both.cancel_scope.cancel()
        return outcome

    # --- the engine's side ---------------------------------------------------------------------

    async def _produce(self) -> None:
        try:
            await self._read()
        except OrionError as error:
            self._ended = error
        except Exception as error:
            logger.exception("request %s: the engine's reader failed", self._request.request_id)
            self._ended = EngineCrashed(f"the worker failed: {error}")
        self._outbox.wake.set()

    async def _read(self) -> None:
        request, tools, outbox = self._request, self._t, self._outbox
        if self._timing.residency == "cold":
            budget_s = tools.loader.budget_s(request) + tools.stall_prefill_s
            self._silence.expect(time.monotonic(), budget_s)
            self._timing.load_wait_s = await tools.loader.ensure(request)
        rate = tools.rates.prefill_floor(
            normal(request.model), tools.view.size_bytes(request.model)
        )
        budget_s = prefill_budget_s(tools.stall_prefill_s, describe(request).input_tokens, rate)
        now = time.monotonic()
        self._silence.expect(now, budget_s)
        self._load_until_s = now + tools.loader.budget_s(request)
        async for part in tools.engine.run(request):
            now = time.monotonic()
            if isinstance(part, Done):
                self._ended = part
                return
            if self._timing.first_s is None:
                self._timing.first_s = now
            self._silence.expect(now, tools.stall_token_s)
            outbox.add(part)
            if outbox.full:
                raise AnswerTooLong("the answer is larger than 4 MiB; ask for less at once")
        raise EngineCrashed("the engine's stream ended without `done`")

    # --- the ledger's side ---------------------------------------------------------------------

    async def _deliver(self) -> Outcome:
        outbox, last_emit_s, last_chunk_s = self._outbox, time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            if self._ended is not None:
                return await self._conclude(self._ended)
            if now >= self._deadline_s:
                return Outcome("late")  # the sweep closes it, or finds that the clock was stepped
            if self._silence.left_s(now) <= 0 and not await self._still_loading():
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
            wait_s = min(due_s, self._deadline_s, now + max(self._silence.left_s(now), 0.01)) - now
            await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        outbox = self._outbox
        if outbox.waiting:  # company may come, but only the end is worth waking for
            with anyio.move_on_after(seconds):
                while self._ended is None:
                    await outbox.wake.wait()
                    if self._ended is None:
                        outbox.wake = anyio.Event()
            return
        with anyio.move_on_after(seconds):
            await outbox.wake.wait()
        if self._ended is None:
            outbox.wake = anyio.Event()

    async def _still_loading(self) -> bool:
        """Before the first token: is the model not even resident, so that Ollama is loading it?"""
        if self._timing.first_s is not None:
            return False
        try:
            with anyio.fail_after(ASK_S):
                self._t.view.saw(await self._t.engine.census(with_disk=False))
        except (EngineError, TimeoutError):
            return False
        now = time.monotonic()
        if self._t.view.is_resident(self._request) or now > self._load_until_s:
            return False
        self._timing.residency = "cold"
        self._silence.expect(now, self._t.stall_prefill_s)
        return True

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
        payload = answer.final(
            self._request, self._t.node, self._started.attempt, status, outbox, timing,
            time.monotonic(), done, error,
        )  # fmt: skip
        closed = await self._insist(
            lambda: self._t.ledger.finish(
                self._request.request_id, self._started.token, status, payload,
                seq=outbox.seq, chunk=chunk,
            ),
            "FENCED",
        )  # fmt: skip
        if closed not in ("OK", "ALREADY"):
            return Outcome("fenced")
        first_s = None if timing.first_s is None else timing.first_s - timing.begun_s
        return Outcome(status, error, done, first_s)

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
        """The ledger's answer, whenever it comes; `otherwise` when the deadline came first."""
        try:
            return await self._t.patience.insist(call, self._deadline_s)
        except StoreUnavailable:
            return otherwise

    def _learn(self, done: Done) -> None:
        self._t.rates.learn(
            normal(self._request.model),
            prompt_tokens=done.prompt_tokens or 0,
            prompt_s=done.prompt_s,
            output_tokens=done.output_tokens or 0,
            output_s=done.output_s,
        )
