"""How fast a board computes and loads: pure functions, times in board seconds."""

from orion_lab import world
from orion_lab.boards import BoardSpec


def decode_s_per_token(board: BoardSpec, size_bytes: int) -> float:
    """Time for one output token of a model of this file size on a cool, otherwise idle board."""
    return size_bytes / board.decode_bytes_per_s


def prefill_s_per_token(board: BoardSpec, size_bytes: int) -> float:
    """Time for one prompt token that is not cached."""
    return decode_s_per_token(board, size_bytes) / world.PREFILL_SPEEDUP


def load_s(board: BoardSpec, size_bytes: int, *, page_cached: bool) -> float:
    """Time until a model of this file size is loaded, from disk or from the page cache."""
    rate = board.page_cache_bytes_per_s if page_cached else board.storage_bytes_per_s
    return board.load_fixed_s + size_bytes / rate


def throttle_factor(temperature_c: float) -> float:
    """Speed relative to a cool board: 1 up to 80 degrees, then linear to 0.6 at 85 and above."""
    span_c = world.THROTTLE_FULL_C - world.THROTTLE_FROM_C
    share = min(1.0, max(0.0, (temperature_c - world.THROTTLE_FROM_C) / span_c))
    return 1.0 - share * (1.0 - world.THROTTLE_FLOOR)
