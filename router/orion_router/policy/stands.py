"""What a board is while nothing happens to it (pure).

Worked out once from what it holds and what is believed of it, and kept with its snapshot. Whenever
it is asked for, what it was made of is compared: then only the clock moves between two steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import LENGTHS, Beliefs
from orion_router.policy.ends import End, ends
from orion_router.policy.fares import Fare, fare
from orion_router.policy.footing import beside, fits
from orion_router.policy.heat import derate, headroom_s
from orion_router.policy.speeds import NOTHING
from orion_router.policy.tuning import Tuning

Kind = tuple[str, str]
"""A model and a class of requests."""
OTHERS: Kind = ("", "")


class Stand:
    """A board with what it holds. `heat`: whether it slows the board down."""

    __slots__ = ("_asked", "_empties", "_fares", "_held", "_kinds", "_lengths", "_loading", "_mark",
                 "_mark_of_lengths", "_news", "_speeds", "busy", "climate", "derate", "ends",
                 "first_at_s", "free", "headroom_s", "memory", "node")  # fmt: skip

    def __init__(self, node: Node, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> None:
        self.node, self._held = node, dict(held)
        self.derate = derate(node) if heat else 1.0
        self.climate = beliefs.climates.get(node.name) if heat else None
        celsius = node.health.temperature_c if node.health else None
        self.headroom_s = headroom_s(celsius, self.climate)
        self.free = max(0, node.slots - len(held))
        self.busy = frozenset([normal(each.model) for each in held.values()])
        """Models that run there."""
        self.memory = _memory(node, self.busy)
        """Models that are there when those that are being loaded are."""
        self._empties: dict[str, bool] = {}
        self._fares: dict[str, tuple[int | None, Fare]] = {}
        keys = [(node.name, model) for model in self.busy]
        self._speeds = [(key, beliefs.speeds.get(key, NOTHING)) for key in keys]
        warm = beliefs.pages.warm
        self._loading = [(m, warm(node, m)) for m in self.busy if m not in node.resident]
        self._news = beliefs.news
        self._mark, self._mark_of_lengths = _marks(node.name, beliefs)
        self._kinds: list[tuple[str, str, int]] = []
        self.ends: list[End] = []
        for request_id, each in held.items():
            model, meta = normal(each.model), each.meta
            pace = beliefs.speed(node, model)
            self.ends.append(ends(node, model, pace, request_id, each, beliefs, self.derate))
            priority, limit = (meta.priority, meta.output_limit) if meta else ("interactive", 0)
            self._kinds.append((model, priority, limit))
        self.first_at_s = min([each.expected_at_s for each in self.ends], default=inf)
        """The moment of the first expected end; infinity where nothing runs."""
        self._asked = _asked(self._kinds, beliefs)
        self._lengths = [beliefs.outputs.get(kind) for kind in self._asked]

    def _reckon(self, beliefs: Beliefs) -> None:
        """When its requests end, by what is known of answers now."""
        expected = beliefs.output_tokens
        self.ends = [
            end.of(expected(*kind)) for end, kind in zip(self.ends, self._kinds, strict=True)
        ]
        self.first_at_s = min([each.expected_at_s for each in self.ends], default=inf)
        self._asked = _asked(self._kinds, beliefs)
        self._lengths = [beliefs.outputs.get(kind) for kind in self._asked]

    def holds(self, held: Mapping[str, Held], beliefs: Beliefs, heat: bool) -> bool:
        """Whether it is still made of the same. What is known of answers changes with each one:
        then only the ends are reckoned anew."""
        name, news = self.node.name, beliefs.news
        if held != self._held or (heat and beliefs.climates.get(name) is not self.climate):
            return False
        if (
            news is not None
            and news is self._news
            and news.get(name) == self._mark
            and news.get(LENGTHS) == self._mark_of_lengths
        ):
            return True
        mark, of_lengths = _marks(name, beliefs)
        counted = news is not None and news is self._news
        as_fast = (counted and mark == self._mark) or self._as_fast(beliefs)
        if news is not self._news:
            self._news, self._fares = news, {}
        self._mark, self._mark_of_lengths = mark, of_lengths
        outputs = beliefs.outputs.get
        if as_fast and [outputs(kind) for kind in self._asked] != self._lengths:
            self._reckon(beliefs)
        return as_fast

    def _as_fast(self, beliefs: Beliefs) -> bool:
        """Whether the models that run are believed to be as fast, and to load as fast, as then."""
        speeds, warm = beliefs.speeds.get, beliefs.pages.warm
        if any(speeds(key, NOTHING) is not learned for key, learned in self._speeds):
            return False
        return all(warm(self.node, model) == known for model, known in self._loading)

    def fare(self, model: str, beliefs: Beliefs, tuning: Tuning) -> Fare | None:
        """What the model costs there; None where it is not, or never fits."""
        known, mark, news = self._fares.get(model), self._mark, beliefs.news
        if (
            known is not None
            and known[0] == mark
            and known[1].tuning is tuning
            and news is not None
            and news is self._news
        ):
            return known[1]
        node = self.node
        if model not in node.on_disk or not fits(node, model):
            return None
        pace = beliefs.speed(node, model)
        found = known[1] if known else None
        if found is None or found.pace is not pace or found.tuning is not tuning or found.gone:
            found = fare(node, model, self.memory, pace, self.derate, tuning, beliefs)
        self._fares[model] = mark, found
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


def _marks(name: str, beliefs: Beliefs) -> tuple[int | None, int | None]:
    news = beliefs.news
    return (None, None) if news is None else (news.get(name), news.get(LENGTHS))


def _memory(node: Node, busy: frozenset[str]) -> frozenset[str]:
    memory = node.resident
    incoming = busy - memory
    if not incoming:
        return memory
    kept: frozenset[str] = frozenset()
    for model in incoming:
        kept = kept | beside(node, memory, model)
    return incoming | (kept & memory)


def _asked(kinds: Iterable[tuple[str, str, int]], beliefs: Beliefs) -> list[Kind]:
    """What `Beliefs.outputs` is asked for: also all others, where nothing is known of one."""
    found = list({(model, priority) for model, priority, _ in kinds})
    if not all(map(beliefs.outputs.get, found)):
        found.append(OTHERS)
    return found
