"""Which prompts each board still has in its prompt cache, as far as can be known (pure).

llama.cpp keeps the prompt of each slot, and in newer engines more of them in a host cache of fixed
size, least recently used first out. Where that size is told, it is believed until a prompt that
should be there was read anew; where it is not, a board starts at one prompt per slot, and is
believed to keep more when one that would have been out by then was read much faster than the board
reads. Hits that do not come true make the belief smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

from orion_router.learning.prompt_cache import Cache
from orion_router.learning.returns import PRIOR_PAUSE_S
from orion_router.policy.beliefs import Chain, Running


class PromptBook:
    """All boards' caches. `kept` is asked for every request in every plan, so it is an index."""

    def __init__(self) -> None:
        self._caches: dict[tuple[str, str], Cache] = {}
        self.pause_s = PRIOR_PAUSE_S
        """After which conversations go on, in the mean."""
        self._index: dict[str, dict[str, dict[str, int]]] = {}
        """Per model and last hash, the boards with their tokens."""

    def kept(self, model: str, chain: Chain) -> Mapping[str, int]:
        """Per board, how many tokens of this prompt it need not read again."""
        found: dict[str, int] = {}
        leaves = self._index.get(model)
        if not leaves or not chain:
            return found
        most = chain[-1][1]
        for leaf, tokens in reversed(chain):
            if boards := leaves.get(leaf):
                # What follows the common prompt is our own reply, as far as the next boundary.
                for node, cached in boards.items():
                    if node not in found:
                        found[node] = min(cached, most)
            most = tokens
        return found

    def lasts(self, node: str, model: str, running: Sequence[Running]) -> Mapping[str, bool]:
        """Of each prompt there, by its last hash, whether what runs leaves it; see `Cache`."""
        cache = self._caches.get((node, model))
        return {} if cache is None else cache.lasts(running)

    def at_risk(self, node: str, model: str, now_s: float, all_of_them: bool) -> float:
        """Tokens that the board is expected to be asked for again, and would lose to one more
        prompt; or if the model left its memory."""
        cache = self._caches.get((node, model))
        if cache is None:
            return 0.0
        tokens = cache.all_tokens if all_of_them else cache.next_tokens
        return tokens * exp(min(0.0, cache.at_s - now_s) / self.pause_s) if tokens else 0.0

    def seen(self, node: str, model: str, chain: Chain) -> bool:
        """Whether the board has read a beginning of this prompt lately, kept or not: how fast it
        reads such a prompt tells nothing of how fast it reads."""
        cache = self._caches.get((node, model))
        return cache is not None and cache.find(chain)[1] is not None

    def used(
        self, node: str, model: str, chain: Chain, output_tokens: int, slots: int = 1,
        prompt_s: float = 0.0, uncached_s: float = 0.0, most_tokens: int | None = None,
        now_s: float = 0.0, returns: float = 0.0, read_tokens: int = 0,
    ) -> None:  # fmt: skip
        """A request ran there until now. `prompt_s` against `uncached_s`, what reading all of its
        prompt would have taken, tells whether it was cached. `most_tokens`: what the engine may
        keep. `returns`: the chance that its conversation goes on. `read_tokens`: what the engine
        counted of the prompt (less than was sent, if its context is smaller); 0: not told."""
        if not chain:
            return
        cache = self._caches.setdefault((node, model), Cache())
        cache.slots = max(1, slots)
        depth, entry = cache.find(chain)
        if entry is not None and uncached_s > 0:
            cache.judge(depth, entry, chain, prompt_s / uncached_s)
        if most_tokens is not None:
            cache.told = True
            most = cache.room_tokens if cache.missed else most_tokens
            cache.room_tokens = min(most, most_tokens)
        if entry is not None:
            cache.entries.pop(depth)
        leaf, tokens = chain[-1]
        if read_tokens > 0:  # only a fraction far beyond what engines leave uncounted is a cut
            read = max(read_tokens, entry.tokens if entry else 0)
            tokens = read if tokens > 4 * read else tokens
        cache.put(leaf, tokens + output_tokens, now_s, returns)
        self._reindex(node, model)

    def boards(self) -> set[str]:
        """Those of which something is known."""
        return {name for name, _ in self._caches}

    def drop(self, node: str) -> None:
        """The board is not there. What it was seen to keep stays, should it come back."""
        for model in [model for name, model in self._caches if name == node]:
            self.forget(node, model)
            if not self._caches[node, model].room_tokens:
                del self._caches[node, model]

    def forget(self, node: str, model: str) -> None:
        """The model left the board's memory, and its caches with it; its room is still known."""
        cache = self._caches.get((node, model))
        if cache is not None and cache.entries:
            cache.entries = []
            self._reindex(node, model)

    def models(self, node: str) -> list[str]:
        """Models whose prompts the board is believed to have."""
        return [m for (name, m), cache in self._caches.items() if name == node and cache.entries]

    def rooms(self, node: str) -> dict[str, int]:
        """For the store: what the board was seen to keep per model, beyond one prompt per slot, in
        tokens."""
        return {
            m: c.room_tokens
            for (name, m), c in self._caches.items()
            if name == node and c.room_tokens and (c.missed or not c.told)
        }

    def load_rooms(self, node: str, rooms: Mapping[str, int]) -> None:
        """The inverse of rooms. Raises ValueError and TypeError for another shape: then nothing of
        it was taken."""
        for model, tokens in [(model, int(each)) for model, each in list(rooms.items())[:64]]:
            if 0 < tokens < 10_000_000:
                cache = self._caches.setdefault((node, model), Cache())
                cache.room_tokens, cache.missed = tokens, True

    def _reindex(self, node: str, model: str) -> None:
        cache = self._caches[node, model]
        leaves = self._index.setdefault(model, {})
        for leaf in cache.indexed:
            boards = leaves[leaf]
            del boards[node]
            if not boards:
                del leaves[leaf]
        kept = [entry for depth, entry in enumerate(cache.entries) if cache.keeps(depth)]
        cache.indexed = [entry.leaf for entry in kept]
        for entry in kept:
            leaves.setdefault(entry.leaf, {})[node] = entry.tokens
        if not leaves:
            del self._index[model]
        cache.weigh(kept, self.pause_s)
