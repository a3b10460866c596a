"""`/health` (health+json), `/livez` and `/readyz`: from memory, so they never wait (pure,
but for the time).

`/livez` answers as long as the event loop turns and looks at nothing else: a store that is away
must not get the router restarted. `/readyz` says whether it can do its job now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from orion_contracts.stamp import iso_now
from orion_router.canary import Slow, Verdict
from orion_router.fleet import Fleet, Node
from orion_router.gateway.nodes_api import NONE_SLOW
from orion_router.vitals import Reading

Word = Literal["pass", "warn", "fail"]
HEALTH_JSON = "application/health+json"


class Vitals(Protocol):
    """What the router knows about itself."""

    @property
    def problem(self) -> str:
        """Why it cannot do its job now; empty when it can."""
        ...

    @property
    def store_version(self) -> str:
        """The store's version, empty before the first contact."""
        ...

    @property
    def reading(self) -> Reading:
        """The last look at the store."""
        ...


def health(
    fleet: Fleet,
    vitals: Vitals,
    version: str,
    open_requests: int,
    config_error: str = "",
    slow: Verdict = NONE_SLOW,
) -> tuple[int, Any]:
    """The status and document of `/health`."""
    boards = list(fleet.nodes.values())
    ready = [node for node in boards if node.eligible]
    nodes_verdict = _nodes_verdict(boards, ready)
    store: dict[str, Any] = {
        "componentType": "datastore",
        "status": "fail" if vitals.problem else "pass",
        "observedValue": vitals.store_version or "unknown",
        "time": iso_now(),
    }
    if vitals.problem:
        store["output"] = vitals.problem[:300]
    config: dict[str, Any] = {"componentType": "component", "status": "pass"}
    if config_error:  # the last good one stays in force
        config |= {"status": "warn", "output": config_error[:300]}
    overall: Word = nodes_verdict if not (config_error or slow) else "warn"
    if vitals.problem:
        overall = "fail"
    document = {
        "status": overall,
        "version": version.split(".")[0],
        "releaseId": version,
        "serviceId": "orion-inference-router",
        "description": "health-aware router in front of Ollama boards",
        "checks": {
            "store:version": [store],
            "nodes:ready": [
                {
                    "componentType": "component",
                    "observedValue": len(ready),
                    "observedUnit": f"of {len(boards)}",
                    "status": nodes_verdict,
                },
                *(
                    _node_check(node, slow.get(node.name, {}))
                    for node in sorted(boards, key=lambda node: node.name)
                ),
            ],
            "config:valid": [config],
            "store:responseTime": [_measured(vitals.reading.store_ms, "ms")],
            "queue:depth": [_measured(vitals.reading.queue_depth, "requests")],
            "deadletters:depth": [_dead_letters(vitals.reading.dead_letters)],
            "library:version": [_measured(vitals.reading.library_version, "")],
            "requests:open": [_measured(open_requests, "requests")],
        },
    }
    return (503 if overall == "fail" else 200), document


def _measured(value: float, unit: str, status: Word = "pass") -> dict[str, Any]:
    check: dict[str, Any] = {"componentType": "component", "status": status}
    if value >= 0:  # below 0: not known yet
        check["observedValue"] = round(value, 2)
    if unit:
        check["observedUnit"] = unit
    return check


def _dead_letters(depth: int) -> dict[str, Any]:
    check = _measured(depth, "entries", "warn" if depth > 0 else "pass")
    if depth > 0:
        check["output"] = "see the stream orion:inference:dead"
    return check


def _nodes_verdict(boards: list[Node], ready: list[Node]) -> Word:
    """No board at all, or none ready, is a warning: requests are queued, not refused."""
    return "pass" if boards and len(ready) == len(boards) else "warn"


def _node_check(node: Node, slow: Mapping[str, Slow]) -> dict[str, Any]:
    check: dict[str, Any] = {
        "componentId": node.name,
        "componentType": "component",
        "observedValue": node.state,
        "status": "pass" if node.eligible and not slow else "warn",
    }
    said = list(node.reasons)
    said += [f"{m} at {100 * s.share:.0f} % of its best rate: {s.why}" for m, s in slow.items()]
    if said:
        check["output"] = ", ".join(said)[:300]
    return check


def ready(vitals: Vitals) -> tuple[int, Any]:
    """The status and document of `/readyz`."""
    if vitals.problem:
        return 503, {"status": "fail", "output": vitals.problem[:300]}
    return 200, {"status": "pass"}
