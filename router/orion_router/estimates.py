"""What people who wait are told, from the plan's figures (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf, isfinite

from orion_contracts.config import Thresholds
from orion_router.fleet import Node
from orion_router.policy import Beliefs, Prospect
from orion_router.policy.speeds import NOTHING, reported

DEFAULT_RETRY_S = 5
MOST_RETRY_S = 600
FALLS_C_PER_S = 0.01
"""A board that cools more slowly than this is not said to come back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a waiting request stands. `position` 0: the next one."""

    position: int
    node: str = ""
    """The board it is planned on; empty: none may take it now, or another router plans."""
    start_s: float | None = None
    """Seconds until it is expected to begin; None: nobody knows."""


def standing(prospect: Prospect) -> Standing:
    """The plan's view of a request; what is not known is no number."""
    start_s = prospect.start_s if isfinite(prospect.start_s) else None
    return Standing(prospect.position, prospect.node, start_s)


def retry_after_s(wait_s: float) -> int:
    """The value of `Retry-After` for an expected wait; a few seconds where nothing is known."""
    if not isfinite(wait_s):
        return DEFAULT_RETRY_S
    return min(MOST_RETRY_S, max(1, ceil(wait_s)))


def place_free_s(prospects: Iterable[Prospect]) -> float:
    """Seconds until the first waiting request leaves the queue; infinity where none will."""
    return min((each.start_s for each in prospects), default=inf)


def longest_s(prospects: Iterable[Prospect]) -> float:
    """Seconds until the last of those that will begin begins; 0 where nobody waits."""
    return max((each.start_s for each in prospects if isfinite(each.start_s)), default=0.0)


def board_back_s(nodes: Iterable[Node], thresholds: Thresholds) -> float:
    """Seconds until the first board that is only too hot has cooled, as fast as it cools now."""
    return min((_cooled_s(node, thresholds) for node in nodes), default=inf)


def _cooled_s(node: Node, thresholds: Thresholds) -> float:
    celsius = node.health.temperature_c if node.health else None
    if node.reasons != ("hot",) or celsius is None or node.slope_c_per_s > -FALLS_C_PER_S:
        return inf
    return max(0.0, celsius - thresholds.temperature_return_c) / -node.slope_c_per_s


def is_measured(node: Node, model: str, beliefs: Beliefs) -> bool:
    """Whether this board's speed with the model was seen, not reckoned from the file's size.

    The rule of thumb fits a Raspberry Pi 5: on anything faster it is far too long, and a request
    that is refused for it would have been served at once.
    """
    own = reported(node.health.rates if node.health else None, model)
    learned = beliefs.speeds.get((node.name, model), NOTHING)
    return bool(learned.decode_tokens_per_s or own.decode_tokens_per_s)
