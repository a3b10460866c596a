"""One line of the behaviour table, and the rig that every check starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orion_lab.stack import Stack
from orion_lab.trials.until import until

BOARDS: Final = ("pi-a", "pi-b", "pi-c")
MODEL: Final = "smollm2:135m"


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured. `peers`: the key of the same measurement in `peers.PEERS`."""

    name: str
    ours: str
    wanted: str
    kept: bool
    peers: str


def rig(
    *,
    slots: int = 4,
    board_flags: Sequence[str] = (),
    worker_flags: Sequence[str] = (),
    routers: int = 1,
) -> Stack:
    """Three boards without delay, as the peers had, with room for `slots` at once each."""
    return Stack(
        boards=[f"{name}:zero" for name in BOARDS],
        routers=routers,
        board_flags=["--slots", str(slots), *board_flags],
        worker_flags=["--slots", str(slots), *worker_flags],
    )


def set_faults(stack: Stack, **faults: Any) -> None:
    """The same faults on every board."""
    for board in stack.boards.values():
        board.set_fault(**faults)


def inside(stack: Stack) -> dict[str, int]:
    """How many requests each living board's engine is generating for."""
    return {
        name: int(board.stats()["inside"])
        for name, board in stack.boards.items()
        if stack.pid(f"board-{name}")
    }


def wait_inside(stack: Stack, count: int, within_s: float = 10.0) -> dict[str, int]:
    """Wait until the boards are generating for `count` requests together."""
    until(lambda: sum(inside(stack).values()) >= count, within_s, f"{count} inside the boards")
    return inside(stack)
