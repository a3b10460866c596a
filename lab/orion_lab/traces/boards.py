"""Which boards a trace is replayed on: those of the recording, a fleet of the study, or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from orion_contracts.classes import classify
from orion_lab import boards as catalogue
from orion_lab import world
from orion_lab.boards import BoardSpec
from orion_lab.sim.fleets import Fleet, fleet
from orion_lab.traces.lines import Head, SeenBoard

STUDIED: Final = ("a", "b", "c")
_COOLING: Final = {
    "active": world.FULL_RISE_ACTIVE_C,
    "passive": world.FULL_RISE_PASSIVE_C,
    "poor": world.FULL_RISE_POOR_C,
}
_FIELDS: Final = {
    "name", "like", "ram_gb", "storage_mb_per_s", "decode_gb_per_s", "cooling", "models",
}  # fmt: skip


def choose(said: str, head: Head) -> Fleet:
    """`a`, `b`, `c`, a file of boards, or (nothing said) the boards of the recording.

    Raises:
        ValueError: there is no such fleet or file, or the file is none of boards; says why.
    """
    if said in STUDIED:
        return fleet(said)
    if said:
        return _file(Path(said))
    if not head.boards:
        return fleet("a")
    return Fleet("as recorded", tuple(_like(board) for board in head.boards))


def _like(board: SeenBoard) -> BoardSpec:
    """A simulated board of this name, else one with as much memory."""
    spec = catalogue.CATALOGUE.get(board.name)
    if spec is None or spec.instant:
        large = classify(board.memory_bytes or 0).name == "16gb"
        spec = catalogue.board("pi-16gb" if large else "pi-8gb")
    return replace(spec, name=board.name)


def _file(path: Path) -> Fleet:
    try:
        told = json.loads(path.read_text())
    except OSError as error:
        known = ", ".join(STUDIED)
        raise ValueError(f"no fleet {path}: {error.strerror}; known: {known}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(told, list) or not told:
        raise ValueError(f"{path}: a fleet is a list of boards, such as {EXAMPLE}")
    return Fleet(path.stem, tuple(_board(path, each) for each in cast(list[object], told)))


EXAMPLE: Final = '[{"name": "attic", "like": "pi-8gb", "cooling": "passive"}]'


def _board(path: Path, told: object) -> BoardSpec:
    if not isinstance(told, dict) or not set(cast(dict[str, Any], told)) <= _FIELDS:
        raise ValueError(f"{path}: a board has {', '.join(sorted(_FIELDS))}; as in {EXAMPLE}")
    said = cast(Mapping[str, Any], told)
    try:
        spec = catalogue.board(str(said.get("like", "pi-8gb")))
        changes: dict[str, Any] = {"name": str(said.get("name", spec.name))}
        for field, name, factor in (
            ("ram_bytes", "ram_gb", 1024**3),
            ("storage_bytes_per_s", "storage_mb_per_s", 1e6),
            ("decode_bytes_per_s", "decode_gb_per_s", 1e9),
        ):
            if name in said:
                changes[field] = type(getattr(spec, field))(float(said[name]) * factor)
        if "cooling" in said:
            changes["full_rise_c"] = _COOLING[said["cooling"]]
        if "models" in said:
            changes["max_loaded"] = max(1, int(said["models"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from error
    return replace(spec, **changes)
