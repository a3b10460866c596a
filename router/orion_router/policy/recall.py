"""Prompts that boards have in their caches, in one planning step (pure).

Whose they shorten, and what runs there now that pushes them out. What a decision costs a board that
conversations are expected to come back to is in `columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orion_contracts.meta import Meta
from orion_router.fleet import normal
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.lanes import Lane
from orion_router.policy.values import Waiting


class Recall:
    """Which boards have the beginning of which waiting prompt."""

    def __init__(self, beliefs: Beliefs, lanes: Sequence[Lane]) -> None:
        self._beliefs, self._lanes = beliefs, lanes
        self._at: dict[str, int] = {}
        self.cached: dict[str, Mapping[str, int]] = {}
        """Per request and board, the tokens that need not be read there; only where there are."""
        self.saved_s: dict[str, float] = {}
        """Per request, the seconds that the best of them saves, on an average board."""

    def of(self, item: Waiting, model: str, cached: Mapping[str, int], prefill_s: float) -> int:
        """The most tokens of its prompt that a board will not have to read, of those `cached` now.
        `prefill_s`: per token, on an average board."""
        meta = item.meta
        cached = lasting(cached, meta, model, self._beliefs, self._lane)
        most = min(meta.input_tokens, max(cached.values(), default=0))
        if most:
            self.cached[item.request_id] = cached
            self.saved_s[item.request_id] = most * prefill_s
        return most

    @property
    def places(self) -> Mapping[str, int]:
        """Of each board's lane among the lanes."""
        if not self._at:
            self._at = {lane.name: i for i, lane in enumerate(self._lanes)}
        return self._at

    def _lane(self, board: str) -> Lane | None:
        at = self.places.get(board)
        return None if at is None else self._lanes[at]


def lasting(
    cached: Mapping[str, int], meta: Meta, model: str, beliefs: Beliefs,
    lane_of: Callable[[str], Lane | None],
) -> Mapping[str, int]:  # fmt: skip
    """Of the tokens that boards have of this prompt now, those that they will have when they can
    begin: what runs there may push them out."""
    lanes = {name: lane_of(name) for name in cached}
    if not any(lane is not None and model in lane.busy for lane in lanes.values()):
        return cached
    return {
        name: tokens
        for name, tokens in cached.items()
        if _outlasts(meta, model, beliefs, lanes[name])
    }


def _outlasts(meta: Meta, model: str, beliefs: Beliefs, lane: Lane | None) -> bool:
    if lane is None or model not in lane.busy:
        return True
    others = [each for each in lane.held.values() if normal(each.model) == model]
    tokens = sum([each.meta.input_tokens for each in others if each.meta])
    return beliefs.prompts.outlasts(lane.name, model, meta.prefixes, len(others), tokens)
