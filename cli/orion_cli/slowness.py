"""What `orion doctor` says of boards that are slower than they were: the router's own verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import httpx

from orion_cli.checks import Finding
from orion_cli.gateway import trusts_proxies

REMEDY = (
    "compare Ollama's version with the one before (go back to it, or delete what was learned: "
    "orion:inference:learned:rates:BOARD, with the routers stopped); look at the power supply "
    "(vcgencmd get_throttled), the fan, and what else runs there"
)


def boards(url: str) -> list[Mapping[str, Any]]:
    """The router's boards; none where it does not answer, which is told elsewhere."""
    try:
        with httpx.Client(timeout=5.0, trust_env=trusts_proxies(url)) as http:
            found: object = http.get(f"{url}/v1/nodes").raise_for_status().json()["nodes"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return []
    listed = cast(list[object], found) if isinstance(found, list) else []
    return [cast(Mapping[str, Any], node) for node in listed if isinstance(node, dict)]


def check_rates(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """One warning for each board; nothing where all are as fast as ever."""
    for node in nodes:
        slow: Mapping[str, float] = node.get("slow") or {}
        if slow:
            said = ", ".join(f"{m} at {100 * share:.0f} %" for m, share in slow.items())
            text = f"{node.get('name')} is slower than it was: {said} of its best rate"
            why = str(node.get("slow_why") or "")
            yield Finding("warn", "rates", text + (f" ({why})" if why else ""), REMEDY)
