"""`orion explain`: why a request runs where it runs, or why it waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from orion_cli import explained, gateway
from orion_cli.calling import as_called
from orion_cli.problem import USAGE, Problem
from orion_cli.terminal import console, printable
from orion_contracts.limits import is_request_id

LAST = 10
SECONDS_MEAN = (
    "Seconds as expected at that moment: until a place is free, to load the model, to read the "
    "prompt, to write the answer; in all; and a price, of what is no time of the request's. Boards "
    "are compared by both together"
)
Document = Mapping[str, Any]


def run(request_id: str, url: str, as_json: bool) -> int:
    """Print it; Problem for an id that nobody knows."""
    if request_id and not is_request_id(request_id):
        raise Problem(f"{request_id} is no request id", "`orion status` shows them", USAGE)
    with gateway.client(url) as http:
        wanted = f"&request_id={request_id}" if request_id else ""
        told = gateway.fetch(http, f"/v1/decisions?limit={LAST}{wanted}")
        view = gateway.find(http, f"/v1/requests/{request_id}") if request_id else None
    if request_id and view is None and not told.get("decisions"):
        raise Problem(
            f"no request {request_id} is known",
            "records are kept for a day after the end; `orion explain` shows the last decisions",
        )
    if as_json:
        document = {"url": url, **told} | ({"request": view} if request_id else {})
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    show(console(), request_id, view or {}, told)
    return 0


def show(out: Console, request_id: str, view: Document, told: Document) -> None:
    """One request with its boards, or the last decisions."""
    if request_id:
        _one(out, request_id, view, told)
    else:
        _last(out, told)


def _one(out: Console, request_id: str, view: Document, told: Document) -> None:
    decisions: Sequence[Document] = told.get("decisions", ())
    model = view.get("model") or (decisions[0].get("model") if decisions else "") or "?"
    said = explained.state(view) if view else "has no record any more"
    _say(out, f"request {request_id} for {model} {said}")
    if place := explained.place(view):
        _say(out, place)
    for line in view.get("history") or ():
        _say(out, f"given back: {line}")
    if final := view.get("final"):
        _say(out, explained.outcome(final))
    for decision in decisions:
        _say(out, f"\n{_clock(decision)}  {explained.verdict(decision)}")
        if looked := decision.get("candidates"):
            out.print(_table(looked))
    _foot(out, told)


def _last(out: Console, told: Document) -> None:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in ("time (UTC)", "request", "model", "decided"):
        made.add_column(column, no_wrap=column in ("time (UTC)", "request"))
    decisions: Sequence[Document] = told.get("decisions", ())
    for each in decisions:
        facts = (_clock(each), each.get("request_id"), each.get("model"), explained.verdict(each))
        made.add_row(*(printable(str(fact or "-")) for fact in facts))
    if decisions:
        out.print(made)
        _say(out, f"Each board's part in it: {as_called('orion explain REQUEST_ID')}")
    else:
        _foot(out, told)


def _table(candidates: Sequence[Document]) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in explained.COLUMNS:
        numbers = column in ("wait", "load", "prompt", "answer", "total")
        made.add_column(column, no_wrap=column != "remark", justify="right" if numbers else "left")
    for each in candidates:
        made.add_row(*map(printable, explained.cells(each)))
    return made


def _foot(out: Console, told: Document) -> None:
    decisions: Sequence[Document] = told.get("decisions", ())
    if any(each.get("candidates") for each in decisions):
        _say(out, SECONDS_MEAN)
    for line in explained.legend(decisions):
        _say(out, line)
    if not told.get("planner", True):
        who = told.get("planned_by") or "another router"
        _say(out, f"This router does not plan: {who} does. Ask there for the decisions (--url)")
    elif not decisions:
        _say(out, "No decision is known: the router keeps the last 256, until it ends")


def _clock(decision: Document) -> str:
    """The time of day, in UTC as the router gave it."""
    return str(decision.get("at", ""))[11:19]


def _say(out: Console, text: str) -> None:
    out.print(printable(text), soft_wrap=True)
