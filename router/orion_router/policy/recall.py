"""Prompts that boards have in their caches, in one planning step (pure).

Whose they shorten, and what runs there now that pushes them out. What a decision costs a board that
conversations are expected to come back to is in `columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        self._lasts: dict[tuple[str, str], Mapping[str, bool]] = {}
        """Per board and model, of each prompt there whether what runs leaves it."""
        self.cached: dict[str, Mapping[str, int]] = {}
        """Per request and board, the tokens that need not be read there; only where there are."""

    def of(self, item: Waiting, model: str, cached: Mapping[str, int], prefill_s: float) -> int:
        """The most tokens of its prompt that a board which it may go to will not have to read, of
        those `cached` now, and if it is free before they would be read. `prefill_s`: per token, on
        an average board."""
        meta, places, most = item.meta, self.places, 0
        cached = self.lasting(meta, model, cached)
        for name, tokens in cached.items():
            at = places.get(name)
            if (
                at is not None
                and tokens > most
                and self._lanes[at].first_s < tokens * prefill_s
                and meta.pin in ("", name)
                and name not in item.failed_on
            ):
                most = tokens
        if cached:
            self.cached[item.request_id] = cached
        return most

    def lasting(self, meta: Meta, model: str, cached: Mapping[str, int]) -> Mapping[str, int]:
        """Of the tokens that boards have of this prompt now, those that they will have when they
        can begin, and no more than the prompt has."""
        found: dict[str, int] = {}
        places, lanes, most = self.places, self._lanes, meta.input_tokens
        for name, tokens in cached.items():
            at = places.get(name)
            if (
                at is None
                or model not in lanes[at].stand.busy
                or self._stays(lanes[at], meta, model)
            ):
                found[name] = tokens if tokens < most else most
        return found

    def _stays(self, lane: Lane, meta: Meta, model: str) -> bool:
        """Whether what runs on a board that is busy with the model leaves the prompt there."""
        board = lane.name
        lasts = self._lasts.get((board, model))
        if lasts is None:
            running = [
                (each.meta.prefixes, each.meta.input_tokens) if each.meta else ((), 0)
                for each in lane.held.values()
                if normal(each.model) == model
            ]
            lasts = self._beliefs.prompts.lasts(board, model, running)
            self._lasts[board, model] = lasts
        for leaf, _ in reversed(meta.prefixes):
            known = lasts.get(leaf)
            if known is not None:
                return known
        return True

    @property
    def places(self) -> Mapping[str, int]:
        """Of each board's lane among the lanes."""
        if not self._at:
            self._at = {lane.name: i for i, lane in enumerate(self._lanes)}
        return self._at
