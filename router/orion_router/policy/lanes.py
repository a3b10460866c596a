"""A board during one planning step: when its slots are free, and what is planned on it.

The plan of a board is a row of batches. The first one serves the models that are in memory; each
later one begins with a load. A request joins the first batch that has its model, before batches
that come later: loads are shared, and a resident model's requests overtake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.ends import ends
from orion_router.policy.footing import beside
from orion_router.policy.heat import NEVER_COOL_S, cool_s, derate, headroom_s
from orion_router.policy.speeds import Speed
from orion_router.policy.values import Waiting


class Batch:
    """Requests that run without a load between them. Times are seconds from now."""

    __slots__ = ("items", "load_s", "locked", "models", "tail_s")

    def __init__(self, models: frozenset[str], tail_s: float, load_s: float) -> None:
        self.models = models
        self.tail_s = tail_s
        self.load_s = load_s
        self.items: list[tuple[Waiting, float, float, bool]] = []
        """Request, seconds until it begins as it was planned, seconds of work, and whether the
        board is cool enough for it."""
        self.locked = False


class Place(NamedTuple):
    """Where a request would go on a lane: batch, seconds until it begins, its load."""

    batch: int
    begin_s: float
    load_s: float


class Lane:
    """One board that may take work."""

    __slots__ = ("all_free_s", "alone", "batches", "busy", "climate", "derate", "ends_s", "first_s",
                 "free", "headroom_s", "held", "memory", "name", "node", "now_s",
                 "slots")  # fmt: skip

    def __init__(
        self, node: Node, held: Mapping[str, Held], beliefs: Beliefs, now_s: float, heat: bool
    ) -> None:
        self.node, self.name, self.slots = node, node.name, node.slots
        self.held, self.now_s = held, now_s
        self.derate = derate(node) if heat else 1.0
        left: list[float] = []
        paces: dict[str, tuple[str, Speed]] = {}
        for request_id, each in held.items():
            known = paces.get(each.model)
            if known is None:
                model = normal(each.model)
                known = paces[each.model] = model, beliefs.speed(node, model)
            end = ends(node, *known, request_id, each, beliefs, self.derate)
            left.append(end.left_s(now_s))
        if len(left) > 1:
            left.sort(reverse=True)
            del left[self.slots :]
        celsius = node.health.temperature_c if node.health else None
        self.climate = beliefs.climates.get(node.name) if heat else None
        self.headroom_s = headroom_s(celsius, self.climate)
        self.free = max(0, self.slots - len(held))
        self.ends_s = [0.0] * self.free + left[::-1]
        self.all_free_s = self.ends_s[-1] if self.ends_s else 0.0
        self.busy = frozenset([model for model, _ in paces.values()])
        self.alone = False
        memory = node.resident
        if incoming := self.busy - memory:
            kept: frozenset[str] = frozenset()
            for model in incoming:
                kept = kept | beside(node, memory, model)
            memory = incoming | (kept & memory)
        self.first_s = self.ends_s[0] if self.ends_s else 0.0
        self.memory = memory
        self.batches = [Batch(memory, self.first_s, 0.0)]

    def place(self, model: str, load_s: float) -> Place:
        """Where a request for this model would go now."""
        batches = self.batches
        for i in range(len(batches) - 1, -1, -1):
            if batches[i].locked:
                break
        else:
            i = 0
        while i < len(batches):
            if model in batches[i].models:
                return Place(i, batches[i].tail_s, 0.0)
            i += 1
        begin_s = batches[-1].tail_s
        if len(batches) == 1:
            begin_s = max(begin_s, self._emptied_s(model))
        return Place(len(batches), begin_s, load_s)

    def alone_place(self, model: str, load_s: float) -> Place:
        """Where it would go if nothing else were planned here."""
        if model in self.memory:
            return Place(0, self.first_s, 0.0)
        return Place(1, max(self.first_s, self._emptied_s(model)), load_s)

    def _emptied_s(self, model: str) -> float:
        """Seconds until what runs has ended, if its model has to leave for this one."""
        if not self.busy or self.busy <= beside(self.node, self.memory, model):
            return 0.0
        return self.all_free_s

    def add(
        self, item: Waiting, model: str, at: Place, service_s: float, lock: bool, cool: bool = True
    ) -> None:
        """Plan the request there; what comes later moves back."""
        batches = self.batches
        if at.batch == len(batches):
            kept = beside(self.node, batches[-1].models, model)
            batches.append(Batch(kept | {model}, at.begin_s + at.load_s, at.load_s))
        batch = batches[at.batch]
        batch.items.append((item, at.begin_s, service_s, cool))
        batch.locked = batch.locked or lock
        if at.batch == 0:
            ends = self.ends_s
            ends[0] = ends[0] + service_s
            ends.sort()
            moved_s = ends[0] - batch.tail_s
        else:
            moved_s = service_s / self.slots
        batch.tail_s += moved_s
        for later in batches[at.batch + 1 :]:
            later.tail_s += moved_s

    def too_warm_s(self, work_s: float) -> float:
        """Seconds that the board should rest before so much work; 0 when it may begin."""
        celsius = self.node.health.temperature_c if self.node.health else None
        if work_s <= self.headroom_s or self.climate is None or celsius is None:
            return 0.0
        return min(NEVER_COOL_S, cool_s(celsius, self.climate, work_s))

    @property
    def coolest(self) -> bool:
        """Whether more rest would not make it much cooler."""
        celsius = self.node.health.temperature_c if self.node.health else None
        return celsius is None or self.climate is None or celsius <= self.climate.rests_c + 3.0

    def due(self) -> list[Waiting]:
        """What can be given to the board now: as many as it has free slots."""
        found: list[Waiting] = []
        needed: set[str] = set()
        for batch in self.batches:
            if needed - batch.models:
                break  # its load would evict what was just given
            for item, begin_s, _, cool in batch.items:
                if len(found) >= self.free or (begin_s > 0.0 and batch.load_s):
                    return found
                if not cool:
                    continue
                found.append(item)
                needed.add(normal(item.meta.model))
        return found

    def begins(self) -> list[tuple[Waiting, float]]:
        """All that is planned here, with the seconds until it begins."""
        found: list[tuple[Waiting, float]] = []
        at_s = self.first_s
        for batch in self.batches:
            at_s += batch.load_s
            for item, _, service_s, _ in batch.items:
                found.append((item, at_s))
                at_s += service_s / self.slots
        return found

    @property
    def planned(self) -> bool:
        """Whether anything is planned here."""
        return any(batch.items for batch in self.batches)

    @property
    def settled(self) -> bool:
        """Whether nothing planned later can change what is due."""
        ready = sum(cool for _, _, _, cool in self.batches[0].items)
        if ready >= self.free:
            return True
        locked = next((each for each in reversed(self.batches) if each.locked), None)
        if locked is None:
            return False
        begins_later = locked.load_s > 0.0 and locked.items[0][1] > 0.0
        return begins_later or len(self.due()) >= self.free
