"""One board's prompt cache for one model, as far as can be known (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

from orion_router.policy.beliefs import Chain, Running

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
    at_s: float = 0.0
    """When it was last used."""
    returns: float = 0.0
    """The chance that its conversation goes on."""


@dataclass(slots=True)
class Cache:
    """Its prompts, most recently used first."""

    slots: int = 1
    room_tokens: int = 0
    """What it is believed to keep beyond one prompt per slot."""
    told: bool = False
    """Whether that is what the board was given for it."""
    missed: bool = False
    """Whether a prompt that should have been there was not, now or before a restart."""
    tight: bool = False
    """Whether one beyond those of the slots was seen to be gone."""
    entries: list[Entry] = field(default_factory=list[Entry])
    indexed: list[str] = field(default_factory=list[str])
    """Hashes under which the index has this board."""
    at_s: float = 0.0
    """The last use, by the planner's clock."""
    all_tokens: float = 0.0
    """Tokens that are expected to be asked for again, as of the last use."""
    next_tokens: float = 0.0
    """Of these, the tokens that one more prompt would push out."""

    def keeps(self, depth: int) -> bool:
        """Whether the entry at this depth is believed to be there: with half of it inside.

        Conversations grow from turn to turn, and what was shown to fit is always a turn old. To
        believe too much costs a wait for that board, to believe too little a whole prompt.
        """
        through = sum(e.tokens for e in self.entries[: depth + 1])
        return self._fits(depth, through, self.entries[depth])

    def _fits(self, depth: int, through: int, entry: Entry) -> bool:
        return depth < self.slots or through - entry.tokens / 2 <= self.room_tokens

    def lasts(self, running: Sequence[Running]) -> dict[str, bool]:
        """Of each prompt, by its last hash, whether it is still there when those that run have been
        read. One that a running one goes on with is part of that. Unless a prompt was missed there,
        or the slots are all that there is, nothing is said: rooms are told in bytes and reckoned
        in tokens, and only who relies on a prompt can tell."""
        if not (self.tight or (self.told and not self.room_tokens)):
            return {}
        continued = {entry.leaf for chain, _ in running if (entry := self.find(chain)[1])}
        found = dict.fromkeys(continued, True)
        depth, through = len(running), sum([tokens for _, tokens in running])
        for entry in self.entries:
            if entry.leaf not in continued:
                through += entry.tokens
                found[entry.leaf] = self._fits(depth, through, entry)
                depth += 1
        return found

    def find(self, chain: Chain) -> tuple[int, Entry | None]:
        """The entry with the most of this prompt, and its depth."""
        for at in range(len(chain) - 1, -1, -1):
            for depth, entry in enumerate(self.entries):
                if entry.leaf == chain[at][0]:
                    return depth, entry
        return -1, None

    def judge(self, depth: int, entry: Entry, chain: Chain, share: float) -> None:
        """A prompt that begins with this entry took this share of its uncached time."""
        total = max(1, chain[-1][1])
        cached = min(entry.tokens, total)
        if cached < JUDGED_TOKENS or cached < total * 0.5 or depth < self.slots:
            return
        through = sum(e.tokens for e in self.entries[: depth + 1])
        fresh_share = 1.0 - cached / total
        if share < fresh_share + (1.0 - fresh_share) * (1.0 - HIT_SHARE):
            self.room_tokens = max(self.room_tokens, through)
        elif share > MISS_SHARE:
            self.tight = True
            if self.keeps(depth):
                self.room_tokens, self.missed = max(0, through - entry.tokens), True

    def put(self, leaf: str, tokens: int, now_s: float, returns: float) -> None:
        """It was used last."""
        self.entries = [e for e in self.entries if e.leaf != leaf][: DEEPEST - 1]
        self.entries.insert(0, Entry(leaf, tokens, now_s, returns))

    def weigh(self, kept: list[Entry], pause_s: float) -> None:
        """What is at risk: all of it fades alike. The next prompt has the size of the last one.
        `kept`: entries that are there; `pause_s`: after which conversations go on, in the mean."""
        self.at_s = kept[0].at_s if kept else 0.0
        self.next_tokens = self.all_tokens = 0.0
        through = kept[0].tokens if kept else 0
        for depth, entry in enumerate(kept):
            silent_s = max(0.0, self.at_s - entry.at_s)
            again = entry.returns * entry.tokens * exp(-silent_s / pause_s)
            through += entry.tokens
            self.all_tokens += again
            if not self._fits(depth + 1, through, entry):
                self.next_tokens += again
