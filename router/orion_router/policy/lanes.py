"""A board during one planning step: when its slots are free, and what is planned on it.

The plan of a board is a row of batches. The first one serves the models that are in memory; each
later one begins with a load. A request joins the first batch that has its model, before batches
that come later: loads are shared, and a resident model's requests overtake.
"""

from __future__ import annotations

from collections.abc import Mapping

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.batches import Batch, Place
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.footing import beside
from orion_router.policy.heat import NEVER_COOL_S, cool_s
from orion_router.policy.stands import stand
from orion_router.policy.values import Waiting


class Lane:
    """One board that may take work."""

    __slots__ = ("_all_free_s", "_batches", "_ends_s", "_locked", "alone", "first_s", "free",
                 "headroom_s", "held", "memory", "name", "node", "now_s", "slots",
                 "stand")  # fmt: skip

    def __init__(
        self, node: Node, held: Mapping[str, Held], beliefs: Beliefs, now_s: float, heat: bool
    ) -> None:
        self.node, self.name, self.slots = node, node.name, node.slots
        self.held, self.now_s = held, now_s
        known = self.stand = stand(node, held, beliefs, heat)
        self.free, self.memory, self.headroom_s = known.free, known.memory, known.headroom_s
        self.alone = False
        self._locked = 0
        self._batches: list[Batch] | None = None
        self._ends_s: list[float] | None = None
        self.first_s = 0.0
        if not known.free:
            ends_s = self.ends_s
            self.first_s = ends_s[0] if ends_s else 0.0

    @property
    def derate(self) -> float:
        """How much slower than cool the board is."""
        return self.stand.derate

    @property
    def idle(self) -> bool:
        """Whether nothing runs there and nothing is planned."""
        return not (self.held or self.planned)

    @property
    def busy(self) -> frozenset[str]:
        """Models that run there."""
        return self.stand.busy

    @property
    def ends_s(self) -> list[float]:
        """Seconds until each slot is free, the soonest first."""
        ends_s = self._ends_s
        if ends_s is None:
            now_s = self.now_s
            ends_s = [end.left_s(now_s) for end in self.stand.ends]
            if len(ends_s) > 1:
                ends_s.sort()
                if len(ends_s) > self.slots:
                    del ends_s[: len(ends_s) - self.slots]
            if self.free:
                ends_s = [0.0] * self.free + ends_s
            self._ends_s = ends_s
            self._all_free_s = ends_s[-1] if ends_s else 0.0
        return ends_s

    @property
    def all_free_s(self) -> float:
        """Seconds until all that runs has ended."""
        if self._ends_s is None:
            _ = self.ends_s
        return self._all_free_s

    @property
    def batches(self) -> list[Batch]:
        """What is planned; first what needs no load."""
        if self._batches is None:
            self._batches = [Batch(self.memory, self.first_s, 0.0)]
        return self._batches

    def place(self, model: str, load_s: float) -> Place:
        """Where a request for this model would go now."""
        batches = self._batches
        if batches is None:
            return self.alone_place(model, load_s)
        for i in range(self._locked, len(batches)):
            batch = batches[i]
            if model in batch.models:
                return tuple.__new__(Place, (i, batch.tail_s, 0.0))
        begin_s = batches[-1].tail_s
        if len(batches) == 1:
            begin_s = max(begin_s, self._emptied_s(model))
        return tuple.__new__(Place, (len(batches), begin_s, load_s))

    def alone_place(self, model: str, load_s: float) -> Place:
        """Where it would go if nothing else were planned here."""
        if model in self.memory:
            return tuple.__new__(Place, (0, self.first_s, 0.0))
        begin_s = max(self.first_s, self._emptied_s(model))
        return tuple.__new__(Place, (1, begin_s, load_s))

    def _emptied_s(self, model: str) -> float:
        """Seconds until what runs has ended, if its model has to leave for this one."""
        return self.all_free_s if self.stand.empties(model) else 0.0

    def add(
        self, item: Waiting, model: str, at: Place, service_s: float, lock: bool, cool: bool = True
    ) -> None:
        """Plan the request there; what comes later moves back."""
        batches = self.batches
        index, begin_s, load_s = at
        if index == len(batches):
            kept = beside(self.node, batches[-1].models, model)
            batches.append(Batch(kept | {model}, begin_s + load_s, load_s))
        batch = batches[index]
        batch.items.append((item, begin_s, service_s, cool))
        if lock:
            batch.locked = True
            self._locked = max(self._locked, index)
        if index == 0:
            ends = self.ends_s
            ends[0] += service_s
            ends.sort()
            moved_s = ends[0] - batch.tail_s
        else:
            moved_s = service_s / self.slots
        batch.tail_s += moved_s
        for later in batches[index + 1 :]:
            later.tail_s += moved_s

    def too_warm_s(self, work_s: float) -> float:
        """Seconds that the board should rest before so much work; 0 when it may begin."""
        climate = self.stand.climate
        if work_s <= self.headroom_s or climate is None:
            return 0.0
        celsius = self.node.health.temperature_c if self.node.health else None
        return 0.0 if celsius is None else min(NEVER_COOL_S, cool_s(celsius, climate, work_s))

    @property
    def coolest(self) -> bool:
        """Whether more rest would not make it much cooler."""
        climate = self.stand.climate
        if climate is None:
            return True
        celsius = self.node.health.temperature_c if self.node.health else None
        return celsius is None or celsius <= climate.rests_c + 3.0

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
        return self._batches is not None and any(batch.items for batch in self._batches)

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
