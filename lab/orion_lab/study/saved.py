"""Cells that were run are kept in a file, a JSON line each, so that a study can be resumed.

A line counts only while the code that made it is the same: peers depend on the laboratory alone,
ours and what is derived from it on the router's policy, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import orion_contracts
import orion_lab
import orion_router
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.study.cells import Cell
from orion_lab.study.loads import FROZEN
from orion_lab.study.rows import Row

_LAB: Final = (
    "sim", "world.py", "models.py", "boards.py", "rates.py", "memory.py", "thermal.py",
    "study/contenders.py", "study/loads.py", "study/work.py", "study/worlds.py",
)  # fmt: skip
_ROUTER: Final = ("policy", "learning", "fleet.py", "held.py")
_CONTRACTS: Final = ("config.py", "health.py", "meta.py", "prefixes.py")


class Saved:
    """The file. One process writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, Row] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        current = [line for line in lines if self._read(line)]
        if len(current) * 2 < len(lines):  # mostly of code that is no more
            path.write_text("".join(f"{line}\n" for line in current))
        self._out = path.open("a")

    def close(self) -> None:
        """The file."""
        self._out.close()

    def __getitem__(self, cell: Cell) -> Row:
        return self._rows[cell.key]

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those that are yet to be run, each once."""
        return [cell for cell in dict.fromkeys(cells) if cell.key not in self._rows]

    def add(self, cell: Cell, row: Row) -> None:
        """Keep it."""
        self._rows[cell.key] = row
        line = {"key": cell.key, "code": code(cell.key), **row.to_wire()}
        self._out.write(f"{json.dumps(line)}\n")
        self._out.flush()

    def _read(self, line: str) -> bool:
        """File it; False if it is of other code, or was cut off."""
        try:
            wire = json.loads(line)
            if wire["code"] != code(wire["key"]):
                return False
            self._rows[wire["key"]] = Row.from_wire(wire)
        except (ValueError, KeyError, TypeError):
            return False
        return True


def code(key: str) -> str:
    """A hash of the code that a cell of this key depends on."""
    workload, *_, policy, _ = key.split("|")
    return _hash(policy in PEERS and workload != FROZEN)


@cache
def _hash(lab_only: bool) -> str:
    sources = _sources(Path(orion_lab.__file__).parent, _LAB)
    if lab_only:
        sources = [path for path in sources if path.name != "ours.py"]
    else:
        sources += _sources(Path(orion_router.__file__).parent, _ROUTER)
        sources += _sources(Path(orion_contracts.__file__).parent, _CONTRACTS)
    found = sha256()
    for path in sources:
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _sources(base: Path, names: Iterable[str]) -> list[Path]:
    paths = [base / name for name in names]
    return sorted(
        each for path in paths for each in ([path] if path.is_file() else path.rglob("*.py"))
    )
