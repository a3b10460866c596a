"""The fleets of the study: a, b and c."""

from dataclasses import dataclass, replace
from typing import Final

from orion_lab import boards, world
from orion_lab.boards import BoardSpec

_NAMES: Final = {
    "a": ["pi-16gb", "pi-8gb", "pi-8gb-passive"],
    "b": ["pi-16gb", "pi-8gb-nvme", "pi-8gb-passive", "pi-8gb-poor", "pi4-8gb", "pi4-8gb"],
    "c": [
        *["pi-16gb"] * 2,
        *["pi-8gb-nvme"] * 6,
        *["pi-8gb"] * 4,
        *["pi-8gb-passive"] * 2,
        *["pi-8gb-poor"] * 2,
    ],
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """Boards in a fixed order."""

    name: str
    boards: tuple[BoardSpec, ...]

    @property
    def decode_bytes_per_s(self) -> float:
        """Speed of all boards together."""
        return sum(spec.decode_bytes_per_s for spec in self.boards)

    @property
    def capacity(self) -> float:
        """Speed relative to fleet a: users are scaled by it."""
        return self.decode_bytes_per_s / (3 * world.DECODE_BYTES_PER_S)

    def poorly_cooled(self) -> "Fleet":
        """Every second board, from the second, in a closed box."""
        poor = tuple(
            replace(spec, full_rise_c=world.FULL_RISE_POOR_C) if index % 2 == 1 else spec
            for index, spec in enumerate(self.boards)
        )
        return Fleet(f"{self.name}, poor", poor)

    def names(self) -> tuple[str, ...]:
        """A name per board, in order."""
        return tuple(f"{index:02d}-{spec.name}" for index, spec in enumerate(self.boards))


def fleet(name: str) -> Fleet:
    """Fleet a, b or c."""
    return Fleet(name, tuple(boards.board(each) for each in _NAMES[name]))
