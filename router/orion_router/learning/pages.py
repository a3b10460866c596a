"""Which model files each board probably still has in its page cache (pure).

A file that was read lately and pushed out by nothing since loads in a second instead of half a
minute. What was read, and how large it was, the planner knows: it sent the requests. Room for it
is what the board has available. Loads that took as long as from the disk make the belief smaller,
those that did not make it larger.
"""

from __future__ import annotations

from orion_router.fleet import Node
from orion_router.learning.news import News

DEEPEST = 16
USABLE_SHARE = 0.85
LEAST_TRUST, MOST_TRUST = 0.1, 1.0


class PageBook:
    """Per board, the files read last, the latest first."""

    def __init__(self, news: News | None = None) -> None:
        self._news = news or News()
        self._read: dict[str, list[tuple[str, int]]] = {}
        self._trust: dict[str, float] = {}

    def warm(self, node: Node, model: str) -> bool:
        """Whether a load of this model would not touch the disk."""
        read = self._read.get(node.name)
        if not read or node.health is None or not node.health.memory_available_bytes:
            return False
        trust = self._trust.get(node.name, USABLE_SHARE)
        room = node.health.memory_available_bytes * trust
        taken = 0
        for name, size in read:
            if name in node.resident:
                continue  # its memory is not available anyway
            taken += size
            if taken > room:
                return False
            if name == model:
                return True
        return False

    def used(self, node: str, model: str, size_bytes: int) -> None:
        """The model was in memory just now: its file is the last to go."""
        read = [entry for entry in self._read.get(node, ()) if entry[0] != model]
        self._read[node] = [(model, size_bytes), *read][:DEEPEST]
        self._news.of(node)

    def judge(self, node: str, believed_warm: bool, was_warm: bool) -> None:
        """A load showed whether the belief was right."""
        if believed_warm == was_warm:
            return
        trust = self._trust.get(node, USABLE_SHARE)
        changed = trust * 1.25 if was_warm else trust * 0.7
        self._trust[node] = min(MOST_TRUST, max(LEAST_TRUST, changed))
        self._news.of(node)

    def forget(self, present: frozenset[str]) -> None:
        """Boards that are no more, or that were switched off."""
        for book in (self._read, self._trust):
            for name in [each for each in book if each not in present]:
                del book[name]
                self._news.of(name)
