"""What a board draws, as a model of two numbers (pure). What energy means: docs/adr/0010-energy.md.

Power is idle_w + utilisation x (max_w - idle_w). The utilisation is 1 while a prompt is read or
tokens are written, because both keep every core or the memory bus busy, and 0.3 while a model is
loaded, which is mostly waiting for the disk. Several requests at once share one board's power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LOADING_SHARE: Final = 0.3
WORKING_SHARE: Final = 1.0

Source = Literal["configured", "board", "estimated"]
"""Both figures were configured; they are those of this kind of board; nobody knows the board."""


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Watts of a whole board, at its supply: without work, and with all cores at work."""

    idle_w: float
    max_w: float
    source: Source = "board"

    @property
    def active_w(self) -> float:
        """What full work draws beyond idling."""
        return max(0.0, self.max_w - self.idle_w)

    def watts(self, utilisation: float) -> float:
        """Power at a utilisation between 0 and 1."""
        return self.idle_w + min(max(utilisation, 0.0), 1.0) * self.active_w

    def active_j(self, load_s: float, work_s: float) -> float:
        """Joules beyond idling of so many seconds of loading and of working."""
        return (LOADING_SHARE * load_s + WORKING_SHARE * work_s) * self.active_w

    def idle_j(self, seconds: float) -> float:
        """Joules that the board draws anyway."""
        return self.idle_w * seconds

    def overridden(self, idle_w: float | None, max_w: float | None) -> PowerModel:
        """With what the configuration says. One figure alone moves the other no further than it
        must: a board never draws less at work than without."""
        if idle_w is None and max_w is None:
            return self
        idle = idle_w if idle_w is not None else min(self.idle_w, max_w or 0.0)
        most = max(idle, max_w if max_w is not None else self.max_w)
        both = idle_w is not None and max_w is not None
        return PowerModel(idle, most, "configured" if both else self.source)


PI5: Final = PowerModel(3.0, 9.0)
PI4: Final = PowerModel(2.7, 6.4)
ESTIMATED: Final = PowerModel(PI5.idle_w, PI5.max_w, "estimated")
_BOARDS: Final = (
    ("Raspberry Pi 5", PI5),
    ("Raspberry Pi 500", PI5),
    ("Raspberry Pi Compute Module 5", PI5),
    ("Raspberry Pi 4", PI4),
    ("Raspberry Pi 400", PI4),
    ("Raspberry Pi Compute Module 4", PI4),
)


def of_board(model: str) -> PowerModel:
    """By the text of the device tree's `model`; of another board a Pi 5's figures, `estimated`."""
    text = model.strip("\0 \n")
    return next((power for name, power in _BOARDS if text.startswith(name)), ESTIMATED)
