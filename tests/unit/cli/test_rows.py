"""The table of boards."""

import io
from typing import Any

from rich.console import Console

from orion_cli.rows import COLUMNS, occupied, of_excluded, of_node, summary
from orion_cli.view import rows, table

NODE: dict[str, Any] = {
    "name": "pi-8gb",
    "state": "fresh",
    "eligible": True,
    "reasons": [],
    "inflight": [],
    "class": "8gb",
    "slots": 1,
    "temperature_c": 44.6,
    "ram_used_percent": 31.2,
    "resident": ["smollm2:135m"],
    "loading": [],
}


def node(**changes: Any) -> dict[str, Any]:
    """A board as the gateway tells of it."""
    return {**NODE, **changes}


def test_a_board_that_takes_work() -> None:
    """Every column, rounded for reading."""
    assert of_node(node()).cells == (
        "pi-8gb", "8gb", "ready", "45 °C", "31 %", "smollm2:135m", "0/1", ""
    )  # fmt: skip


def test_what_a_board_is_doing() -> None:
    """Busy, loading, draining, gated, silent: one word each, and the reason."""
    assert of_node(node(inflight=["x"])).state == "busy"
    assert of_node(node(loading=["m:1b"])).remark == "loading m:1b"
    draining = of_node(node(reasons=["draining"]))
    assert (draining.state, draining.mood) == ("draining", "warn")
    hot = of_node(node(reasons=["hot", "unreachable"]))
    assert hot.state == "gated"
    assert "too hot" in hot.remark
    assert "does not answer" in hot.remark
    assert of_node(node(state="lost", reasons=["silent"])).mood == "bad"


def test_unknown_is_its_own_answer() -> None:
    """A board that never reported has no invented numbers; an unknown reason is shown as it is."""
    row = of_node({"name": "new", "state": "stale", "reasons": ["odd"]})
    assert (row.temperature, row.ram, row.running, row.remark) == (
        "unknown",
        "unknown",
        "0/?",
        "odd",
    )


def test_excluded_boards_come_last() -> None:
    """They are shown although no router knows them."""
    shown = rows([node(name="z")], [{"name": "a", "class_name": "excluded", "why": "4 GB"}])
    assert [(row.name, row.state) for row in shown] == [("z", "ready"), ("a", "excluded")]


def test_the_table_and_the_requests_below_it_agree() -> None:
    """What a board works on is counted from the list of requests, whatever its own line said."""
    nodes = [node(name="a", inflight=["old"]), node(name="b", inflight=[])]
    requests = [
        {"request_id": "r1", "state": "RUNNING", "node": "b"},
        {"request_id": "old", "state": "COMPLETED", "node": "a"},
        {"request_id": "r2", "state": "QUEUED"},
    ]
    shown = rows(occupied(nodes, requests), [])

    assert [(row.state, row.running[0]) for row in shown] == [("ready", "0"), ("busy", "1")]
    assert summary(requests, shown, 10).startswith("1 running · 1 waiting")


def test_the_line_below_counts() -> None:
    """Waiting and running by the ledger's states; excluded boards are no boards."""
    boards = [of_node(node()), of_excluded("x", "excluded", "")]
    requests = [{"state": "QUEUED"}, {"state": "RUNNING"}, {"state": "ASSIGNED"}]
    assert summary(requests, boards, 10) == "2 running · 1 waiting · 1 of 1 boards take work"
    assert "1+ waiting" in summary(requests, boards, 3)


def test_a_piped_table_has_no_colours_and_steers_no_terminal() -> None:
    """No escape sequence of ours, none from a board's name."""
    out = io.StringIO()
    Console(file=out, width=160).print(table([of_node(node(name="a\x1b[31mb"))]))
    assert "\x1b" not in out.getvalue()
    assert all(column in out.getvalue() for column in COLUMNS)


def test_the_remedy_of_a_drained_board_can_be_copied() -> None:
    """With the board's name; and no limit is told that the configuration may have changed."""
    row = of_node(node(eligible=False, reasons=["draining", "hot", "ram"]))
    assert "`orion drain pi-8gb --undo`" in row.remark
    assert not any(char.isdigit() for char in row.remark.replace("pi-8gb", ""))


def test_no_board_takes_the_whole_table() -> None:
    """Whatever it says of itself."""
    words = "x" * 10_000
    row = of_node(
        node(name=words, temperature_c=1e300, ram_used_percent=1e300, resident=[words] * 9,
             reasons=[words], **{"class": words})
    )  # fmt: skip
    assert max(map(len, row.cells[:5])) <= 40
    assert max(map(len, row.cells)) <= 300
