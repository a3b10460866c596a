"""What a board is while nothing happens to it (pure).

Worked out once from what it holds and what is believed of it, and kept with its snapshot. Whenever
it is asked for, what it was made of is compared: then only the clock moves between two steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.ends import End, ends
from orion_router.policy.fares import Fare, fare
from orion_router.policy.footing import beside, fits
from orion_router.policy.heat import derate, headroom_s
from orion_router.policy.speeds import NOTHING, Speed
from orion_router.policy.tuning import Tuning

Kind = tuple[str, str]
"""A model and a class of requests."""
OTHERS: Kind = ("", "")


Marks = tuple[int | None, int | None]


class Stand:
    """A board with what it holds. `heat`: whether it slows the board down."""

    __slots__ = ("_empties", "_fares", "_held", "_lengths", "_loading", "_marks", "_news",
                 "_speeds", "busy", "climate", "derate", "ends", "first_at_s", "free", "headroom_s",
                 "memory", "node")  # fmt: skip

    def __init__(self, node: Node, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> None:
        self.node, self._held = node, dict(held)
        self.derate = derate(node) if heat else 1.0
        self.climate = beliefs.climates.get(node.name) if heat else None
        celsius = node.health.temperature_c if node.health else None
        self.headroom_s = headroom_s(celsius, self.climate)
        self.free = max(0, node.slots - len(held))
        paces: dict[str, Speed] = {}
        kinds: set[Kind] = set()
        self.ends: list[End] = []
        for request_id, each in held.items():
            model = normal(each.model)
            pace = paces.get(model)
            if pace is None:
                pace = paces[model] = beliefs.speed(node, model)
            kinds.add((model, each.meta.priority if each.meta else "interactive"))
            self.ends.append(ends(node, model, pace, request_id, each, beliefs, self.derate))
        self.first_at_s = min([each.expected_at_s for each in self.ends], default=float("inf"))
        """The moment of the first expected end; infinity where nothing runs."""
        keys = [(node.name, model) for model in paces]
        self._speeds = [(key, beliefs.speeds.get(key, NOTHING)) for key in keys]
        self._lengths = _lengths(kinds, beliefs)
        self._news, self._marks = beliefs.news, _marks(node, beliefs)
        self._loading = [
            (model, beliefs.pages.warm(node, model))
            for model in paces
            if model not in node.resident
        ]
        self.busy = frozenset(paces)
        """Models that run there."""
        self.memory = _memory(node, self.busy)
        """Models that are there when those that are being loaded are."""
        self._fares: dict[str, tuple[Marks | None, Fare]] = {}
        self._empties: dict[str, bool] = {}

    def holds(self, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> bool:
        """Whether it is still made of the same."""
        if held != self._held or (
            heat and beliefs.climates.get(self.node.name) is not self.climate
        ):
            return False
        marks = _marks(self.node, beliefs)
        if marks == self._marks and marks is not None and beliefs.news is self._news:
            return True
        self._news, self._marks = beliefs.news, marks
        return self._learned_the_same(beliefs)

    def _learned_the_same(self, beliefs: Beliefs) -> bool:
        speeds, outputs = beliefs.speeds.get, beliefs.outputs.get
        for key, learned in self._speeds:
            if speeds(key, NOTHING) is not learned:
                return False
        for kind, tokens in self._lengths:
            if outputs(kind) != tokens:
                return False
        warm = beliefs.pages.warm
        return all(warm(self.node, model) == known for model, known in self._loading)

    def fare(self, model: str, beliefs: Beliefs, tuning: Tuning) -> Fare | None:
        """What the model costs there; None where it is not, or never fits."""
        known, marks = self._fares.get(model), self._marks
        if (
            known is not None
            and known[0] is marks is not None
            and known[1].tuning is tuning
            and beliefs.news is self._news
        ):
            return known[1]
        node = self.node
        if model not in node.on_disk or not fits(node, model):
            return None
        pace = beliefs.speed(node, model)
        found = known[1] if known else None
        if found is None or found.pace is not pace or found.tuning is not tuning:
            found = fare(node, model, self.memory, pace, self.derate, tuning)
        self._fares[model] = marks, found
        return found

    def empties(self, model: str) -> bool:
        """Whether all that runs has to end before this model can be loaded."""
        known = self._empties.get(model)
        if known is None:
            stays = not self.busy or self.busy <= beside(self.node, self.memory, model)
            known = self._empties[model] = not stays
        return known


def stand(node: Node, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> Stand:
    """The board as it stands."""
    known: Stand | None = node.stands.get(heat)
    if known is not None and known.holds(held, beliefs, heat):
        return known
    found = node.stands[heat] = Stand(node, held, beliefs, heat)
    return found


def _marks(node: Node, beliefs: Beliefs) -> Marks | None:
    news = beliefs.news
    return None if news is None else (news.get(node.name), news.get(""))


def _memory(node: Node, busy: frozenset[str]) -> frozenset[str]:
    memory = node.resident
    incoming = busy - memory
    if not incoming:
        return memory
    kept: frozenset[str] = frozenset()
    for model in incoming:
        kept = kept | beside(node, memory, model)
    return incoming | (kept & memory)


def _lengths(kinds: Iterable[Kind], beliefs: Beliefs) -> list[tuple[Kind, float | None]]:
    """What is known of how long answers of these kinds are; of all others, where one is not."""
    found = {kind: beliefs.outputs.get(kind) for kind in kinds}
    if not all(found.values()):
        found[OTHERS] = beliefs.outputs.get(OTHERS)
    return list(found.items())
