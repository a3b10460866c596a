"""What boards went through in one or more runs: temperature, queue and resident models. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orion_lab.plots.svg import PALETTE, Line, Lines, Panel, Picture, Strip, Strips
from orion_lab.sim.outcomes import Sample

GATE_C, HARD_C = 75.0, 80.0
_MODEL_COLOURS: Final = ("#f4c15d", "#8fbcd4", "#b58db6", "#9fc88f", "#d98f7a", "#c0c0c0")
_QUEUE_COLOUR: Final = "#000000"


@dataclass(frozen=True, slots=True)
class Seen:
    """The samples of one run under a name; board names in the fleet's order."""

    name: str
    boards: Sequence[str]
    samples: Sequence[Sample]


def picture(title: str, runs: Sequence[Seen]) -> Picture:
    """A column per run, on the same scales."""
    models = sorted({m for run in runs for s in run.samples for names in s.resident for m in names})
    colours = {
        name: _MODEL_COLOURS[index % len(_MODEL_COLOURS)] for index, name in enumerate(models)
    }
    until_s = max((run.samples[-1].at_s for run in runs if run.samples), default=60.0)
    temperatures = [c for run in runs for s in run.samples for c in s.temperature_c]
    high_c = max([85.0, *temperatures])
    most = max((max(s.queued, *s.held) for run in runs for s in run.samples), default=1)
    boards = runs[0].boards if runs else ()
    legend = [(name, _colour(index)) for index, name in enumerate(boards)]
    legend += [("router's queue", _QUEUE_COLOUR), *colours.items()]
    return Picture(
        title,
        [_column(run, colours, high_c, float(max(1, most))) for run in runs],
        legend,
        until_s / 60.0,
    )


def _column(run: Seen, colours: dict[str, str], high_c: float, most: float) -> list[Panel]:
    times = [sample.at_s / 60.0 for sample in run.samples]
    heat = [
        Line(
            _colour(index),
            [(at, s.temperature_c[index]) for at, s in zip(times, run.samples, strict=True)],
        )
        for index in range(len(run.boards))
    ]
    held = [
        Line(
            _colour(index),
            [(at, float(s.held[index])) for at, s in zip(times, run.samples, strict=True)],
        )
        for index in range(len(run.boards))
    ]
    queue = Line(
        _QUEUE_COLOUR,
        [(at, float(s.queued)) for at, s in zip(times, run.samples, strict=True)],
    )
    return [
        Lines(
            f"{run.name}: °C (gate 75, throttling 80)",
            heat,
            ((GATE_C, ""), (HARD_C, "")),
            high=high_c,
        ),
        Lines("requests: waiting at the router, held by each board", [*held, queue], low=0.0,
              high=most),
        Strips("models in memory", _residency(run, times, colours)),
    ]  # fmt: skip


def _residency(run: Seen, times: Sequence[float], colours: dict[str, str]) -> list[Strip]:
    """A row per board and place in its memory; a model keeps its row while it stays."""
    strips: list[Strip] = []
    for index, board in enumerate(run.boards):
        rows: list[list[tuple[float, float, str]]] = []
        places: dict[str, tuple[int, float]] = {}
        for at, sample in zip(times, run.samples, strict=True):
            now = sample.resident[index]
            for name in [name for name in places if name not in now]:
                _close(rows, places, name, at, colours)
            for name in now:
                if name not in places:
                    taken = {row for row, _ in places.values()}
                    row = next(n for n in range(len(rows) + 1) if n not in taken)
                    if row == len(rows):
                        rows.append([])
                    places[name] = (row, at)
        for name in list(places):
            _close(rows, places, name, times[-1], colours)
        strips += [Strip(board if row == 0 else "", spans) for row, spans in enumerate(rows)]
        if not rows:
            strips.append(Strip(board, ()))
    return strips


def _close(
    rows: list[list[tuple[float, float, str]]], places: dict[str, tuple[int, float]], name: str,
    at: float, colours: dict[str, str],
) -> None:  # fmt: skip
    row, since = places.pop(name)
    if at > since:
        rows[row].append((since, at, colours[name]))


def _colour(index: int) -> str:
    return PALETTE[index % (len(PALETTE) - 1)]
