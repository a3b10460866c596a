"""`orion status`: boards, queue and requests as the gateway tells of them, once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from orion_cli import gateway
from orion_cli.rows import occupied, summary
from orion_cli.state import runs
from orion_cli.terminal import console, printable
from orion_cli.view import LISTED, rows, table

SHOWN_REQUESTS = 20


def run(url: str, as_json: bool) -> int:
    """Print it; 0 also when boards are in trouble (that is `orion doctor`'s to judge)."""
    with gateway.client(url) as http:
        nodes = gateway.fetch(http, "/v1/nodes").get("nodes", [])
        requests = gateway.fetch(http, f"/v1/requests?limit={LISTED}")
    excluded = next((run.excluded for run in runs() if run.url == url), ())
    listed: Sequence[Mapping[str, Any]] = requests.get("requests", [])
    nodes = occupied(nodes, listed)
    if as_json:
        document = {"url": url, "nodes": nodes, "excluded": excluded, "requests": listed}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    out = console()
    boards = rows(nodes, excluded)
    out.print(table(boards))
    out.print(summary(listed, boards, LISTED))
    if listed:
        out.print(_requests(listed[:SHOWN_REQUESTS]))
    return 0


def _requests(listed: Sequence[Mapping[str, Any]]) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in ("request", "model", "state", "board", "attempt", "position"):
        made.add_column(column)
    for each in listed:
        made.add_row(
            *(
                printable(str(each.get(name) if each.get(name) not in (None, "") else "-"))
                for name in ("request_id", "model", "state", "node", "attempt", "queue_position")
            )
        )
    return made
