"""The least work that a trace asks for, in bytes read: common ground of the lower bounds."""

from collections.abc import Sequence

from orion_lab.models import model
from orion_lab.sim.asks import Ask
from orion_lab.world import PREFILL_SPEEDUP


def least_bytes(asks: Sequence[Ask]) -> list[float]:
    """Per request: bytes a board must read if every prefix that another request leaves is cached.

    Divided by a board's decode bandwidth this is the time on that board when cool and loaded.
    """
    left = {ask.whole[-1] for ask in asks} | {ask.prompt_prefix[-1] for ask in asks}
    return [_bytes(ask, left) for ask in asks]


def _bytes(ask: Ask, left: set[tuple[int, int]]) -> float:
    cached = max(
        (tokens for key, tokens in ask.prompt_prefix[:-1] if (key, tokens) in left), default=0
    )
    prefill = (ask.input_tokens - cached) / PREFILL_SPEEDUP
    return (prefill + ask.output_tokens) * model(ask.model).size_bytes
