"""What runs in the board's slots: from a doorbell or a direct request to its outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import orjson
from anyio.abc import TaskGroup
from redis.exceptions import ResponseError

from orion_agent import direct
from orion_agent.keeper_terms import on_terms
from orion_agent.parts import Parts
from orion_agent.recovery import Recovery
from orion_agent.runner import Attempt
from orion_agent.settler import Settler
from orion_agent.tools import Outcome, Tools
from orion_contracts.entry_kinds import Doorbell
from orion_contracts.errors import LedgerRefused
from orion_contracts.ledger import DirectEntry, FailureKind, Started
from orion_contracts.messages import InferenceRequest
from orion_contracts.naming import Understood, by_real_name, understood

Begin = Callable[[], Awaitable[Started | None]]
"""Asks the ledger for the right to run; None: it is not, or no longer, ours."""
logger = logging.getLogger("orion.worker")


class Runs:
    """What the inbox hands entries to. Each has a slot and a task of its own until its end."""

    def __init__(
        self, parts: Parts, settler: Settler, tools: Tools, recovery: Recovery, tasks: TaskGroup
    ) -> None:
        self._p, self._settler, self._tools = parts, settler, tools
        self._recovery, self._tasks = recovery, tasks

    def may_run_direct(self) -> bool:
        """Whether the board's own health gates are open."""
        reporter = self._p.reporter
        return not (reporter.gates.reasons or reporter.draining) and self._p.view.reachable

    def ring(self, entry: str, bell: Doorbell) -> None:
        """Start what a doorbell announced."""
        ledger, who = self._p.ledger, self._p.who
        self._begin(
            entry, bell.request_id, lambda: ledger.start(who.node, entry, *bell, who.incarnation)
        )

    def understand(self, request: InferenceRequest, raw: bytes) -> Understood:
        """What the request asks for, by the configuration."""
        return understood(request, by_real_name(request, self._p.reporter.config), raw)

    def take(self, entry: DirectEntry, asked: Understood) -> None:
        """Run a request that came straight here."""
        ledger, who, key = self._p.ledger, self._p.who, self._p.reporter.prefix_key
        self._begin(
            entry.entry,
            asked.request.request_id,
            lambda: direct.take(ledger, who.node, who.incarnation, entry, asked, key),
            asked.request,
            asked.body,
        )

    def _begin(
        self,
        entry: str,
        request_id: str,
        begin: Begin,
        request: InferenceRequest | None = None,
        raw: bytes = b"",
    ) -> None:
        p = self._p
        p.slots.take(entry)
        p.beat.poke()
        p.reporter.nudge()

        async def serve() -> None:
            async with self._in_slot(entry, request_id):
                try:
                    started = await p.patience.insist(begin)
                except ResponseError as error:
                    await self._settler.refuse(entry, raw, LedgerRefused(error), request_id)
                    return
                if started is not None:
                    await self._attempt(request_id, request, started)

        self._tasks.start_soon(serve, name=f"run {request_id}")

    @asynccontextmanager
    async def _in_slot(self, entry: str, request_id: str) -> AsyncGenerator[None]:
        try:
            yield
        except Exception:
            logger.exception("request %s: the worker failed", request_id)
        finally:
            self._p.slots.give_back(entry)
            self._p.reporter.nudge()

    async def _attempt(
        self, request_id: str, request: InferenceRequest | None, started: Started
    ) -> None:
        p, begun_s = self._p, time.monotonic()
        try:
            request = request or InferenceRequest.from_wire(orjson.loads(started.body))
            request = on_terms(request, p.reporter.config, p.who.node)
            attempt = Attempt(self._tools, request, started)
            with p.usage.of(request.model), p.underway.of(request_id, attempt.progress):
                outcome = await attempt.run()
        except Exception as error:
            # A fault of ours that this request brings out: counted, so that it ends some day.
            why = f"the worker failed: {error}"
            with suppress(ResponseError):  # then its lease lapses
                await p.patience.insist(
                    lambda: p.ledger.release(request_id, started.token, FailureKind.CRASH, why)
                )
            raise
        self._count(request, outcome, time.monotonic() - begun_s)

    def _count(self, request: InferenceRequest, outcome: Outcome, seconds: float) -> None:
        self._p.metrics.ended(outcome, seconds, request.model)
        if outcome.word == "completed":
            self._recovery.worked()
        why = f" ({outcome.error})" if outcome.error else ""
        logger.log(logging.INFO if why else logging.DEBUG, "request %s on %s: %s after %.2f s%s",
                   request.request_id, request.model, outcome.word, seconds, why)  # fmt: skip
