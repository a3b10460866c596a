"""Which prompts each board still has in its prompt cache, as far as can be known (pure).

llama.cpp keeps the prompt of each slot, and in newer engines more of them in a host cache of fixed
size, least recently used first out. Where that size is told, it is believed until a prompt that
should be there was read anew; where it is not, a board starts at one prompt per slot, and is
believed to keep more when one that would have been out by then was read much faster than the board
reads. Hits that do not come true make the belief smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orion_router.policy.beliefs import Chain

DEEPEST = 32
"""Prompts remembered per (board, model), also beyond what the board is believed to keep."""
HIT_SHARE = 0.5
"""A prompt that took less than this share of its uncached time was cached."""
MISS_SHARE = 0.8
JUDGED_TOKENS = 64
"""Fewer cached tokens tell nothing that noise would not."""


@dataclass(slots=True)
class Entry:
    """One prompt with its answer: the hash at its end, and the tokens that are cached."""

    leaf: str
    tokens: int


@dataclass(slots=True)
class Cache:
    """One board's cache for one model, most recently used first."""

    slots: int = 1
    room_tokens: int = 0
    """What it is believed to keep beyond one prompt per slot."""
    told: bool = False
    """Whether that is what the board was given for it."""
    missed: bool = False
    """Whether a prompt that should have been there was not, now or before a restart."""
    entries: list[Entry] = field(default_factory=list[Entry])
    indexed: list[str] = field(default_factory=list[str])
    """Hashes under which the index has this board."""

    def keeps(self, depth: int) -> bool:
        """Whether the entry at this depth is believed to be there: with half of it inside.

        Conversations grow from turn to turn, and what was shown to fit is always a turn old. To
        believe too much costs a wait for that board, to believe too little a whole prompt.
        """
        if depth < self.slots:
            return True
        through = sum(e.tokens for e in self.entries[: depth + 1])
        return through - self.entries[depth].tokens / 2 <= self.room_tokens


class PromptBook:
    """All boards' caches. `kept` is asked for every request in every plan, so it is an index."""

    def __init__(self) -> None:
        self._caches: dict[tuple[str, str], Cache] = {}
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
                        found[node] = max(tokens, min(cached, most))
            most = tokens
        return found

    def seen(self, node: str, model: str, chain: Chain) -> bool:
        """Whether the board has read a beginning of this prompt lately, kept or not: how fast it
        reads such a prompt tells nothing of how fast it reads."""
        cache = self._caches.get((node, model))
        return cache is not None and self._find(cache, chain)[1] is not None

    def used(
        self, node: str, model: str, chain: Chain, output_tokens: int, slots: int = 1,
        prompt_s: float = 0.0, uncached_s: float = 0.0, most_tokens: int | None = None,
    ) -> None:  # fmt: skip
        """A request ran there. `prompt_s` against `uncached_s`, what reading all of its prompt
        would have taken, tells whether it was cached. `most_tokens`: what the engine may keep."""
        if not chain:
            return
        cache = self._caches.setdefault((node, model), Cache())
        cache.slots = max(1, slots)
        depth, entry = self._find(cache, chain)
        if entry is not None and uncached_s > 0:
            self._judge(cache, depth, entry, chain, prompt_s / uncached_s)
        if most_tokens is not None:
            cache.told = True
            most = cache.room_tokens if cache.missed else most_tokens
            cache.room_tokens = min(most, most_tokens)
        if entry is not None:
            cache.entries.pop(depth)
        leaf, tokens = chain[-1]
        cache.entries = [e for e in cache.entries if e.leaf != leaf][: DEEPEST - 1]
        cache.entries.insert(0, Entry(leaf, tokens + output_tokens))
        self._reindex(node, model)

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

    def _find(self, cache: Cache, chain: Chain) -> tuple[int, Entry | None]:
        for at in range(len(chain) - 1, -1, -1):
            for depth, entry in enumerate(cache.entries):
                if entry.leaf == chain[at][0]:
                    return depth, entry
        return -1, None

    def _judge(self, cache: Cache, depth: int, entry: Entry, chain: Chain, share: float) -> None:
        total = max(1, chain[-1][1])
        cached = min(entry.tokens, total)
        if cached < JUDGED_TOKENS or cached < total * 0.5 or depth < cache.slots:
            return
        through = sum(e.tokens for e in cache.entries[: depth + 1])
        fresh_share = 1.0 - cached / total
        if share < fresh_share + (1.0 - fresh_share) * (1.0 - HIT_SHARE):
            cache.room_tokens = max(cache.room_tokens, through)
        elif share > MISS_SHARE and cache.keeps(depth):
            cache.room_tokens, cache.missed = max(0, through - entry.tokens), True

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
