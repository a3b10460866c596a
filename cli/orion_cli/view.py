"""Draws the fleet: one table, the same for `orion up` and `orion status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orion_cli.calling import as_called
from orion_cli.rows import COLUMNS, Mood, Row, of_excluded, of_node, sort_key, summary
from orion_cli.terminal import printable

STYLES: Mapping[Mood, str] = {"good": "green", "warn": "yellow", "bad": "red", "off": "dim"}
LISTED = 200
"""How many requests are asked for: enough to say how many wait."""


def rows(nodes: Iterable[Mapping[str, Any]], excluded: Iterable[Mapping[str, str]]) -> list[Row]:
    """The boards of the gateway, and those that get no work at all."""
    known = [of_node(node) for node in nodes]
    return sorted(known + [of_excluded(**board) for board in excluded], key=sort_key)


def table(boards: Iterable[Row]) -> Table:
    """The boards, one line each."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        made.add_column(column, no_wrap=column in ("board", "class", "state", "temp", "RAM"))
    for row in boards:
        cells = [Text(printable(as_called(cell))) for cell in row.cells]
        cells[2].stylize(STYLES[row.mood])
        made.add_row(*cells, style="dim" if row.mood == "off" else "")
    return made


def screen(boards: list[Row], requests: list[Mapping[str, Any]], foot: str) -> RenderableType:
    """What stays on the terminal while `orion up` runs."""
    line = Text(summary(requests, boards, LISTED))
    return Group(table(boards), line, Text(foot, style="dim"))
