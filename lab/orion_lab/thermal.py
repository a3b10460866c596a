"""First-order heat: where a board's temperature goes under load. Pure functions."""

from math import exp

from orion_lab import world
from orion_lab.boards import BoardSpec


def steady_c(board: BoardSpec, ambient_c: float, busy: float, loading: float = 0.0) -> float:
    """Temperature the board settles at.

    `busy` and `loading` are shares of the time (0 to 1) spent generating and loading; while it
    does both, generating is what heats it.
    """
    heat = min(1.0, busy + world.LOADING_HEAT_SHARE * min(loading, 1.0 - min(1.0, busy)))
    return ambient_c + board.idle_rise_c + heat * (board.full_rise_c - board.idle_rise_c)


def step_c(temperature_c: float, target_c: float, dt_s: float) -> float:
    """Temperature after `dt_s` board seconds of moving towards `target_c`; exact for any step."""
    return target_c + (temperature_c - target_c) * exp(-dt_s / world.HEAT_TAU_S)
