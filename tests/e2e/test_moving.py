"""A board is cordoned while it works: what runs stays, what waits moves."""

from __future__ import annotations

from typing import Any

import httpx

from e2e.boards import SecondBoard
from e2e.conftest import SERVICE
from e2e.kube import Kube, Object, condition, run, until
from e2e.resources import NAME, apply
from e2e.world import MODEL, World

LONG = {"num_predict": 300, "temperature": 0}
SHORT = {"num_predict": 8}
BUSY = ("ASSIGNED", "RUNNING")
MOST = 8
"""Of two boards that share a computer one may be so much slower that it gets work only when several
wait for the other."""


def test_cordon_drains_and_uncordon_returns(kube: Kube, world: World, second: SecondBoard) -> None:
    """Running work finishes on the cordoned board, waiting work goes to the other one, the
    board's row and Healthy say so; and back."""
    apply(kube, models=[{"name": MODEL, "placement": {"classes": ["16gb", "8gb"]}}])
    both = (world.node, second.board)
    with kube.forwarded(SERVICE, 80) as url, httpx.Client(base_url=url, timeout=90) as http:
        until(lambda: all(_serves(http, name) for name in both), 120, "two boards serve")
        asked: set[str] = set()
        until(lambda: _keep_busy(http, asked, set(both)), 60, "both run", 0.5)
        asked |= {_submit(http, SHORT) for _ in range(3)}
        views = {each: _view(http, each) for each in asked}
        running = {i for i, view in views.items() if view["state"] in BUSY}
        waiting = {i for i, view in views.items() if view["state"] == "QUEUED"}
        assert len(running) == 2, views
        assert len(waiting) >= 3, views
        run(["kubectl", "cordon", world.node])
        try:
            until(lambda: _board(http, world.node)["draining"], 15, "the board drains")
            assert _board(http, world.node)["inflight"], "it ended before the board drained"
            until(lambda: all(_done(http, i) for i in waiting), 240, "what waited is answered")
            assert {_view(http, each)["node"] for each in waiting} == {second.board}
            until(lambda: all(_done(http, i) for i in running), 240, "what ran is answered")
            ends = {_view(http, each)["node"]: _view(http, each) for each in running}
            assert ends.keys() == set(both), "what ran stayed where it was"
            assert ends[world.node]["attempt"] == 1
            until(lambda: not _board(http, world.node)["inflight"], 30, "nothing runs")

            until(lambda: _row(kube, world.node)["state"] == "Draining", 45, "its row says so")
            (why,) = _row(kube, world.node)["reasons"]
            assert why.startswith("Draining: cordoned; takes no new work, finishes what runs")
            found = kube.get(f"icl/{NAME}")
            healthy = condition(found, "Healthy")
            assert (healthy["status"], healthy["reason"]) == ("False", "BoardsInTrouble")
            assert healthy["message"].startswith(f"{world.node} is Draining (")
            assert second.board not in healthy["message"]
            assert condition(found, "Ready")["status"] == "True"
            assert found["status"]["summary"]["nodes"] == "1/2"
        finally:
            run(["kubectl", "uncordon", world.node])
        until(lambda: _serves(http, world.node), 30, "the board is back")
        until(lambda: _row(kube, world.node)["state"] == "Eligible", 45, "its row says so")
        until(lambda: _answered_by(http) == set(both), 60, "both boards get work")


def _row(kube: Kube, name: str) -> Object:
    rows = kube.get(f"icl/{NAME}")["status"]["nodes"]
    return next(dict(row) for row in rows if row["name"] == name)


def _board(http: httpx.Client, name: str) -> Object:
    return next(dict(n) for n in http.get("/v1/nodes").json()["nodes"] if n["name"] == name)


def _serves(http: httpx.Client, name: str) -> bool:
    board = _board(http, name)
    return bool(board["eligible"] and MODEL in board["resident"])


def _submit(http: httpx.Client, options: dict[str, Any]) -> str:
    body = {"model": MODEL, "options": options,
            "messages": [{"role": "user", "content": "Tell me a long story."}]}  # fmt: skip
    return str(http.post("/v1/requests", json=body).json()["request_id"])


def _view(http: httpx.Client, request_id: str) -> Object:
    return dict(http.get(f"/v1/requests/{request_id}").json())


def _keep_busy(http: httpx.Client, asked: set[str], boards: set[str]) -> bool:
    """Ask for one more, unless each board has one."""
    views = [_view(http, each) for each in asked]
    if {view["node"] for view in views if view["state"] in BUSY} == boards:
        return True
    if len(asked) < MOST:
        asked.add(_submit(http, LONG))
    return False


def _done(http: httpx.Client, request_id: str) -> bool:
    """Whether it is answered; raises LookupError with what else became of it."""
    view = _view(http, request_id)
    if view["state"] != "COMPLETED":
        raise LookupError(view)
    return True


def _answered_by(http: httpx.Client) -> set[str]:
    """Boards that answer four requests that come together."""
    ids = [_submit(http, {"num_predict": 32}) for _ in range(4)]
    until(lambda: all(_done(http, each) for each in ids), 60, "four requests are answered")
    return {str(_view(http, each)["node"]) for each in ids}
