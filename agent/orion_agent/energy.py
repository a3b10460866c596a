"""Who draws the board's power: active joules per run, and the board's totals (pure).

At every instant the power beyond idling is divided among what runs, by how busy each keeps the
board, so the parts always add up to the whole. Between two events nothing changes: `advance` prices
the piece that ends now, by a reading that was taken just now or else by the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from orion_contracts.health import RunState
from orion_contracts.power import ESTIMATED, LOADING_SHARE, WORKING_SHARE, PowerModel

Origin = Literal["measured", "modelled"]
SHARES: Mapping[RunState, float] = {
    "loading": LOADING_SHARE,
    "prefill": WORKING_SHARE,
    "decode": WORKING_SHARE,
}
QUIET_WEIGHT = 0.1
"""Of a new reading in the mean of those that were taken while nothing ran."""


class Spent(NamedTuple):
    """Joules beyond idling, and whether most of their time was measured."""

    joules: float
    origin: Origin


@dataclass(slots=True, eq=False)
class Draw:
    """One run's part."""

    share: float
    joules: float = 0.0
    seconds: float = 0.0
    measured_s: float = 0.0

    @property
    def spent(self) -> Spent:
        """So far."""
        measured = self.measured_s > 0 and 2 * self.measured_s >= self.seconds
        return Spent(self.joules, "measured" if measured else "modelled")


class Meter:
    """One board's. Moments are seconds of one monotonic clock; other threads only read `totals`."""

    def __init__(self, now_s: float, board: PowerModel = ESTIMATED) -> None:
        self.board = self.model = board
        self._draws: set[Draw] = set()
        self._at_s = now_s
        self._quiet_w: float | None = None
        self.totals: tuple[float, float] = (0.0, 0.0)
        """Active and idle joules up to the last event; never less than before."""

    def configure(self, idle_w: float | None, max_w: float | None, now_s: float) -> None:
        """What the configuration says of the board counts from now on."""
        model = self.board.overridden(idle_w, max_w)
        if model != self.model:
            self.advance(now_s)
            self.model = model

    def begin(self, state: RunState, now_s: float) -> Draw:
        """Something runs from now on, until `end`."""
        self.advance(now_s)
        draw = Draw(SHARES[state])
        self._draws.add(draw)
        return draw

    def enter(self, draw: Draw, state: RunState, now_s: float) -> None:
        """It is in another state from now on."""
        if draw.share != SHARES[state]:
            self.advance(now_s)
            draw.share = SHARES[state]

    def end(self, draw: Draw, now_s: float) -> None:
        """It runs no more; said twice, nothing changes."""
        if draw in self._draws:
            self.advance(now_s)
            self._draws.remove(draw)

    def spent(self, draw: Draw, now_s: float) -> Spent:
        """What it took so far."""
        if draw in self._draws:
            self.advance(now_s)
        return draw.spent

    def advance(self, now_s: float, reading_w: float | None = None) -> None:
        """Price the time since the last event; `reading_w`: the board's power, read now."""
        seconds = max(0.0, now_s - self._at_s)
        self._at_s = max(self._at_s, now_s)
        if reading_w is not None and not self._draws:
            self._learn(reading_w)
        active_w = self._active_w(reading_w)
        active_j, idle_j = self.totals
        self.totals = (active_j + active_w * seconds, idle_j + self._idle_w * seconds)
        whole = sum(draw.share for draw in self._draws)
        for draw in self._draws:
            draw.joules += active_w * seconds * draw.share / whole
            draw.seconds += seconds
            draw.measured_s += seconds if reading_w is not None else 0.0

    @property
    def _idle_w(self) -> float:
        """A sensor need not see all that the supply gives: it is compared with itself."""
        if self._quiet_w is None or self.model.source == "configured":
            return self.model.idle_w
        return self._quiet_w

    def _active_w(self, reading_w: float | None) -> float:
        if not self._draws:
            return 0.0
        if reading_w is not None:
            return max(0.0, reading_w - self._idle_w)
        return max(draw.share for draw in self._draws) * self.model.active_w

    def _learn(self, reading_w: float) -> None:
        before = reading_w if self._quiet_w is None else self._quiet_w
        self._quiet_w = before + QUIET_WEIGHT * (reading_w - before)
