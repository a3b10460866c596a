"""The engine's side of an attempt: wait for the model, read the tokens, say how it ended."""

from __future__ import annotations

import logging
import time

import anyio

from orion_agent import answer
from orion_agent.energy import Draw, Spent
from orion_agent.engine import Done
from orion_agent.outbox import Outbox
from orion_agent.stall import Silence, prefill_budget_s
from orion_agent.tools import AnswerTooLong, Tools
from orion_agent.view import normal
from orion_contracts.errors import EngineCrashed, EngineError, OrionError
from orion_contracts.health import Progress, RunState
from orion_contracts.ledger import Started
from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import describe

ASK_S = 3.0
logger = logging.getLogger("orion.worker.runner")


class Producer:
    """`ended` is None while the engine works; `silence` tells how long it may say nothing."""

    def __init__(self, tools: Tools, request: InferenceRequest, started: Started) -> None:
        self._t, self._request = tools, request
        now = time.monotonic()
        warm = tools.view.is_resident(request)
        self.timing = answer.Timing(now, started.queue_ms, "warm" if warm else "cold")
        used = {"model": request.model, "fallback_from": request.fallback_from}
        self.outbox = Outbox(
            request.request_id, started.attempt, answer.source(tools.node), request.stream,
            used if request.fallback_from else None,
        )  # fmt: skip
        self.ended: Done | OrionError | None = None
        self._silence = Silence(now, tools.stall_prefill_s)
        self._load_until_s = now
        self._state: RunState = "prefill" if warm else "loading"
        self._state_s = now
        self._draw: Draw | None = None

    def spent(self, now_s: float) -> Spent | None:
        """Energy so far; None before it began."""
        return None if self._draw is None else self._t.meter.spent(self._draw, now_s)

    def progress(self, request_id: str, now_s: float) -> Progress:
        """How far the engine is, to a tenth of a second."""
        return Progress(
            request_id=request_id,
            state=self._state,
            output_tokens=self.outbox.tokens,
            elapsed_s=round(max(now_s - self._state_s, 0.0), 1),
        )

    def _enter(self, state: RunState, now_s: float) -> None:
        self._state, self._state_s = state, now_s
        if self._draw is not None:
            self._t.meter.enter(self._draw, state, now_s)

    async def run(self) -> None:
        """Read the engine to its end; never raises but for cancellation."""
        draw = self._draw = self._t.meter.begin(self._state, time.monotonic())
        try:
            await self._read()
        except OrionError as error:
            self.ended = error
        except Exception as error:
            logger.exception("request %s: the engine's reader failed", self._request.request_id)
            self.ended = EngineCrashed(f"the worker failed: {error}")
        finally:
            self._t.meter.end(draw, time.monotonic())
        self.outbox.wake.set()

    async def _read(self) -> None:
        request, tools, outbox = self._request, self._t, self.outbox
        if self.timing.residency == "cold":
            budget_s = tools.loader.budget_s(request) + tools.stall_prefill_s
            self._silence.expect(time.monotonic(), budget_s)
            self.timing.load_wait_s = await tools.loader.ensure(request)
        model = normal(request.model)
        rate = tools.rates.prefill_floor(model, tools.view.size_bytes(model))
        budget_s = prefill_budget_s(tools.stall_prefill_s, describe(request).input_tokens, rate)
        now = time.monotonic()
        self._enter("prefill", now)
        self._silence.expect(now, budget_s)
        self._load_until_s = now + tools.loader.budget_s(request)
        async for part in tools.engine.run(request):
            now = time.monotonic()
            if isinstance(part, Done):
                self.ended = part
                return
            if self.timing.first_s is None:
                self.timing.first_s = now
                self._enter("decode", now)
            self._silence.expect(now, tools.stall_token_s)
            outbox.add(part)
            if outbox.full:
                raise AnswerTooLong("the answer is larger than 4 MiB; ask for less at once")
        raise EngineCrashed("the engine's stream ended without `done`")

    def patience_left_s(self, now_s: float) -> float:
        """Seconds that the engine may still be silent."""
        return self._silence.left_s(now_s)

    async def is_loading(self) -> bool:
        """Silent for too long before its first token: is Ollama loading the model once more?

        It may have dropped the model since we last looked. Then it gets more time, within the
        budget of a load; one that does not even answer this question is hung.
        """
        if self.timing.first_s is not None:
            return False
        view = self._t.view
        try:
            with anyio.fail_after(ASK_S):
                view.saw(view.contexts.loads, await self._t.engine.census(with_disk=False))
        except (EngineError, TimeoutError):
            return False
        now = time.monotonic()
        if view.is_resident(self._request) or now > self._load_until_s:
            return False
        self.timing.residency = "cold"
        if self._state != "loading":
            self._enter("loading", now)
        self._silence.expect(now, self._t.stall_prefill_s)
        return True
