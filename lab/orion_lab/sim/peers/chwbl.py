"""Consistent hashing with bounded loads, by model (KubeAI, sgl-router)."""

from bisect import bisect_left
from hashlib import blake2b
from math import ceil

from orion_lab.sim.asks import Ask
from orion_lab.sim.peers.gates import alive
from orion_lab.sim.views import BoardView, View

LOAD_FACTOR = 1.25
_POINTS_PER_BOARD = 100


class BoundedHashing:
    """A model has a home on a ring of boards; a board that has more than 1.25 times its fair
    share of all requests passes on to the next. The ring differs per seed."""

    name = "CHWBL by model"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._ring: list[tuple[int, str]] = []

    def choose(self, ask: Ask, view: View) -> str:
        """The first board from the model's place on whose load is within the bound."""
        boards = {board.name: board for board in alive(view)}
        if not self._ring:
            self._ring = sorted(
                (self._point(f"{board.name}#{number}"), board.name)
                for board in view.boards
                for number in range(_POINTS_PER_BOARD)
            )
        held = sum(len(board.holding) for board in boards.values())
        bound = ceil(LOAD_FACTOR * (held + 1) / len(boards))
        start = bisect_left(self._ring, (self._point(ask.model), ""))
        walk = (self._ring[(start + step) % len(self._ring)][1] for step in range(len(self._ring)))
        return next(name for name in walk if _takes(boards.get(name), bound))

    def _point(self, text: str) -> int:
        return int.from_bytes(blake2b(f"{self._seed}/{text}".encode(), digest_size=8).digest())


def _takes(board: BoardView | None, bound: int) -> bool:
    return board is not None and len(board.holding) + 1 <= bound
