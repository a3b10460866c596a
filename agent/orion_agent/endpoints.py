"""HTTP: /health (health+json of the node), /livez (the loop turns), /readyz (it can take work)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orion_agent.parts import Parts

HEALTH_JSON = "application/health+json"
LOOP_LATE_S = 5.0
STORE_SILENT_S = 15.0


def problems(parts: Parts, stopping: bool, now_s: float) -> tuple[list[str], list[str]]:
    """What keeps the worker from taking work, and what else is worth a warning."""
    failed: list[str] = []
    warned: list[str] = []
    published_s = parts.reporter.published_s
    late_s = STORE_SILENT_S + parts.settings.health_interval_s
    if published_s is None or now_s - published_s > late_s or parts.patience.away:
        failed.append("the store does not answer")
    if not parts.view.reachable:
        failed.append("Ollama cannot be used: " + parts.view.to_health().error)
    if parts.view.wedged:
        failed.append("Ollama hangs")
    if stopping:
        failed.append("stopping")
    warned += [f"the gate {reason} is closed" for reason in parts.reporter.gates.reasons]
    if parts.reporter.draining:
        warned.append("draining")
    if parts.reporter.health is not None and parts.reporter.health.temperature_c is None:
        warned.append("the temperature cannot be read")
    return failed, warned


def document(parts: Parts, version: str, stopping: bool, now_s: float) -> dict[str, Any]:
    """The health document: draft-inadarei-api-health-check-06, with the node's report in it."""
    failed, warned = problems(parts, stopping, now_s)
    health = parts.reporter.health
    status = "fail" if failed else "warn" if warned else "pass"
    body: dict[str, Any] = {
        "status": status,
        "version": version.partition(".")[0],
        "releaseId": version,
        "serviceId": "orion-inference-worker",
        "description": f"worker of board {parts.who.node}",
        "checks": _checks(parts, failed),
    }
    if failed or warned:
        body["output"] = "; ".join(failed + warned)
    if health is not None:
        # Who knows a request's id can read its answer: ids are for the store, not for this page.
        body["node"] = replace(health, progress=()).to_wire()
    return body


def _checks(parts: Parts, failed: list[str]) -> dict[str, list[dict[str, Any]]]:
    health, gates = parts.reporter.health, parts.reporter.gates
    slots = parts.slots
    checks: dict[str, list[dict[str, Any]]] = {
        "ollama:reachable": [_check("component", parts.view.reachable, "", parts.view.reachable)],
        "store:reachable": [
            _check(
                "datastore", not parts.patience.away, "", "the store does not answer" not in failed
            )
        ],
        "worker:slots": [_check("component", max(slots.free, 0), "free", not slots.closed)],
    }
    if health is None:
        return checks
    if health.temperature_c is not None:
        hot = "warn" if gates.hot else True
        checks["board:temperature"] = [_check("system", health.temperature_c, "C", hot)]
    if (used := health.ram_used_percent) is not None:
        full = "warn" if gates.full_ram else True
        checks["board:memory"] = [_check("system", round(used, 1), "percent", full)]
    return checks


def _check(kind: str, value: object, unit: str, good: bool | str) -> dict[str, Any]:
    status = good if isinstance(good, str) else "pass" if good else "fail"
    check = {"componentType": kind, "observedValue": value, "status": status}
    return {**check, "observedUnit": unit} if unit else check


def app(parts: Parts, version: str, stopping: Callable[[], bool]) -> Starlette:
    """The HTTP application."""

    async def health(_: Request) -> Response:
        body = document(parts, version, stopping(), time.monotonic())
        status = 503 if body["status"] == "fail" else 200
        headers = {"cache-control": "max-age=1"}
        return Response(orjson.dumps(body), status, headers, HEALTH_JSON)

    async def livez(_: Request) -> Response:
        late_s = time.monotonic() - parts.beat.tick_s
        return _short("the event loop is late" if late_s > LOOP_LATE_S else "")

    async def readyz(_: Request) -> Response:
        return _short("; ".join(problems(parts, stopping(), time.monotonic())[0]))

    sharing = parts.sharing.routes() if parts.sharing else []
    own = [Route("/health", health), Route("/livez", livez), Route("/readyz", readyz)]
    return Starlette(routes=[*own, *sharing])


def _short(problem: str) -> Response:
    status = {"status": "fail", "output": problem} if problem else {"status": "pass"}
    return Response(orjson.dumps(status), 503 if problem else 200, media_type=HEALTH_JSON)
