"""/livez, /readyz and /health of the operator."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import web

from orion_operator.conditions import observe
from orion_operator.reconcile import Reconciler
from orion_operator.tables import summary

TICK_S, STUCK_S = 1.0, 10.0
STALE_S = 60.0


class Pulse:
    """A tick of the event loop: `/livez` looks at nothing else."""

    def __init__(self) -> None:
        self.ticked_s = time.monotonic()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self.ticked_s = time.monotonic()
            await asyncio.sleep(TICK_S)

    @property
    def beats(self) -> bool:
        """Whether it ticked lately."""
        return time.monotonic() - self.ticked_s < STUCK_S


class State:
    """What the process is doing. `waiting`: for what, before the reconciler runs."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.waiting = "starting"
        self.reconciler: Reconciler | None = None

    @property
    def problem(self) -> str:
        """Why it cannot do its job now; empty when it can. A store that is away is no reason:
        what can be done without it is done."""
        if self.waiting:
            return self.waiting
        if self.reconciler is None or self.reconciler.passed_s is None:
            return "no pass was complete yet"
        if time.monotonic() - self.reconciler.passed_s > STALE_S:
            return self.reconciler.problem or "no pass was complete lately"
        return ""

    def health(self) -> dict[str, Any]:
        """The document of /health (application/health+json)."""
        facts = self.reconciler.facts if self.reconciler else None
        conditions = observe(facts) if facts else ()
        bad = [c for c in conditions[:4] if not c.status]
        status = "fail" if self.problem else "warn" if bad else "pass"
        document: dict[str, Any] = {
            "status": status,
            "version": self.version,
            "serviceId": "orion-inference-operator",
            "checks": {
                f"{c.type}": [{"status": "pass" if c.status else "warn", "output": c.message}]
                for c in conditions[:4]
            },
        }
        if self.problem:
            document["output"] = self.problem
        if facts:
            line = summary(facts)
            document["notes"] = [f"nodes {line.nodes}, models {line.models}, {line.hottest}"]
        return document


def application(state: State, pulse: Pulse) -> web.Application:
    """The HTTP application."""

    async def livez(_: web.Request) -> web.Response:
        return _answer("ok" if pulse.beats else "the event loop does not turn", pulse.beats)

    async def readyz(_: web.Request) -> web.Response:
        return _answer(state.problem or "ok", not state.problem)

    async def health(_: web.Request) -> web.Response:
        document = state.health()
        return web.json_response(
            document,
            status=503 if document["status"] == "fail" else 200,
            content_type="application/health+json",
        )

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/health", health)]
    )
    return app


def _answer(text: str, good: bool) -> web.Response:
    return web.Response(text=text + "\n", status=200 if good else 503)
