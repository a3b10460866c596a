"""The plan: each waiting request on the board where its answer is expected first (pure).

Greedy list scheduling, anew at every event: requests in their turn, each to the lane with the least
cost. Only what can begin at once is given to a board; the rest stays in the queue, where the next
event may plan it better (late binding).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, inf

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.batches import Place
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.columns import Column, Row
from orion_router.policy.costs import Costs, Offered, particular, plain
from orion_router.policy.deadlines import hopeless
from orion_router.policy.horizon import foreseen, open_until
from orion_router.policy.lanes import Lane
from orion_router.policy.order import in_turn, overdue
from orion_router.policy.pins import Pins
from orion_router.policy.prices import FREE, NOWHERE, prices
from orion_router.policy.recall import Recall
from orion_router.policy.tuning import Tuning
from orion_router.policy.values import Load, Prospect, Waiting


class Planning:
    """One planning step over the boards that may take work."""

    def __init__(
        self,
        nodes: Iterable[Node],
        load: Load,
        beliefs: Beliefs,
        tuning: Tuning,
        now_s: float,
        suspects: frozenset[str] = frozenset(),
        energy_tie_s: float = 0.0,
        elsewhere: Mapping[str, int] = NOWHERE,
    ) -> None:
        """`elsewhere`: how often each model is in memory on boards that are not planned for."""
        self._beliefs, self._tuning, self._now_s = beliefs, tuning, now_s
        self._tie_s, self._elsewhere = energy_tie_s, elsewhere
        nothing: dict[str, Held] = {}
        heat, apart = tuning.heat_term, energy_tie_s > 0.0
        self.lanes: list[Lane] = []
        for node in nodes:
            held = load.get(node.name, nothing)
            if not (suspects and suspects.intersection(held)):
                lane = Lane(node, held, beliefs, now_s, heat)
                self.lanes.append(lane)
                apart = apart or lane.headroom_s < inf
        self._apart = apart
        """Whether boards differ in more than their rows: by heat, or by energy."""
        self._columns: dict[str, Column] = {}
        self._prices, self._alone = FREE, False
        self._recall = Recall(beliefs, self.lanes)
        self._work: dict[str, tuple[Column, float]] = {}
        """Per request: its model on all lanes, and the tokens that are expected of it."""
        self._told: dict[str, tuple[Sequence[Row], Sequence[float], Mapping[int, Place]]] = {}
        """What was reckoned for those that may be given to a board now."""
        self.prospects: dict[str, Prospect] = {}
        self.hopeless: set[str] = set()
        """Requests that no board can begin to answer before their deadline."""

    @property
    def free(self) -> int:
        """Slots that nobody uses."""
        return sum([lane.free for lane in self.lanes])

    def offered(self, request_id: str) -> dict[str, Offered]:
        """What was reckoned for this request, per board; nothing where it cannot begin now."""
        rows, costs_s, places = self._told.get(request_id, ((), (), {}))
        return {
            self.lanes[row[0]].name: Offered(cost_s, *places[row[0]][1:])
            for row, cost_s in zip(rows, costs_s, strict=True)
        }

    def _column(self, model: str) -> Column:
        column = self._columns.get(model)
        if column is None:
            column = self._columns[model] = Column(
                model, self.lanes, self._beliefs, self._tuning, self._prices
            )
        return column

    def run(
        self, queue: Sequence[Waiting], starvation_s: float, pinned: Pins, whole: bool = False
    ) -> list[tuple[Waiting, Lane]]:
        """What to give to boards now; `whole`: plan to the end of the queue, for `prospects`."""
        if not queue or not (self.lanes and (whole or self.free)):
            return []
        if len(queue) == 1 and not whole:
            return self.run_alone(queue[0], starvation_s, pinned)
        self._prices = prices(self.lanes, self._elsewhere, len(queue), self._tuning)
        service_s = self._service_s(queue)
        drain_s = fsum(service_s.values()) / self._prices.slots
        turns = in_turn(queue, self._now_s, self._tuning, starvation_s, drain_s, service_s,
                        self._beliefs.usage_s)  # fmt: skip
        still_open = {} if whole else open_until(turns, self.lanes)
        end = len(turns) - 1 if whole else max(still_open.values(), default=-1)
        for position, (item, starving, pressed) in enumerate(turns):
            if position > end:
                break
            at = self._put(item, item.meta.pin and pinned(item), starving or pressed)
            if at in still_open and self.lanes[at].settled:
                del still_open[at]
                end = max(still_open.values(), default=-1)
        if whole:
            self.prospects = foreseen(turns, self.lanes)
        return [(item, lane) for lane in self.lanes if lane.free for item in lane.due()]

    def run_alone(self, item: Waiting, bound_s: float, pinned: Pins) -> list[tuple[Waiting, Lane]]:
        """The same for a queue of one, where nobody has a turn before another."""
        if not (self.lanes and self.free):
            return []
        self._alone = True
        self._prices = prices(self.lanes, self._elsewhere, 1, self._tuning)
        drain_s = self._service_s([item])[item.request_id] / self._prices.slots
        late = overdue(item, self._now_s, bound_s, drain_s, self._tuning)
        at = self._put(item, pinned(item), late)
        return [] if at is None else [(each, self.lanes[at]) for each in self.lanes[at].due()]

    def _service_s(self, queue: Sequence[Waiting]) -> dict[str, float]:
        """Expected seconds of work per request, on an average board; `_recall` is filled, too."""
        found: dict[str, float] = {}
        kinds: dict[tuple[str, str], tuple[Column, float]] = {}
        work, beliefs = self._work, self._beliefs
        kept = beliefs.prompts.kept if self._tuning.prefix_term else None
        for item in queue:
            meta, request_id = item.meta, item.request_id
            kind = kinds.get((meta.model, meta.priority))
            if kind is None:
                column = self._column(normal(meta.model))
                usual = beliefs.output_tokens(column.model, meta.priority, 0)
                kind = kinds[meta.model, meta.priority] = column, usual
            column, output = kind
            if 0 < meta.output_limit < output:
                output = float(meta.output_limit)
            work[request_id] = column, output
            prefill, decode = column.usual
            fresh = meta.input_tokens
            if kept and meta.prefixes and (cached := kept(column.model, meta.prefixes)):
                fresh -= self._recall.of(item, column.model, cached, prefill)
            found[request_id] = fresh * prefill + output * decode
        return found

    def _put(self, item: Waiting, pin: str, first: bool) -> int | None:
        """Plan one request; the lane, or None where no board can take it. `first`: what is planned
        later does not overtake it."""
        meta = item.meta
        column, output = self._work[item.request_id]
        cached = self._recall.cached.get(item.request_id, NOWHERE)
        if meta.deadline_ms is not None and hopeless(
            item, column, self._beliefs, cached, pin, self._now_s
        ):
            self.hopeless.add(item.request_id)
            return None
        costs = self._costs(item, column, output, cached, pin, first)
        if costs is None:
            if item.crashes and first:
                self._empty(column, pin)
            return None
        rows, costs_s, best = costs
        lane = self.lanes[best]
        if lane.free or self._alone:
            self._told[item.request_id] = tuple(rows), costs_s, column.places.copy()
        fresh = meta.input_tokens - cached.get(lane.name, 0)
        service_s = column.work_s(best, max(0, fresh), output)
        cool = service_s <= lane.headroom_s or lane.coolest or not lane.too_warm_s(service_s)
        lock = first or not self._tuning.batching
        lane.add(item, column.model, column.places[best], service_s, lock, cool)
        if item.crashes:
            lane.alone = True  # a suspect has its board to itself
        for each in self._columns.values():
            each.stale[best] = None
        return best

    def _empty(self, column: Column, pin: str) -> None:
        """Nothing more for the board that a starving suspect can have first: it needs it alone."""
        usable = [i for i, *_ in column.rows if pin in ("", self.lanes[i].name)]
        if usable:
            first = min(usable, key=lambda i: (self.lanes[i].all_free_s, i))
            self.lanes[first].alone = True
            for each in self._columns.values():
                each.stale[first] = None

    def _costs(
        self, item: Waiting, column: Column, output: float, cached: Mapping[str, int], pin: str,
        first: bool,
    ) -> Costs | None:  # fmt: skip
        pays = first and column.displaced_s
        if not (cached or pin or pays or item.failed_on or item.crashes or self._apart):
            return plain(column, float(item.meta.input_tokens), output)
        at = self._recall.places if cached or pin else NOWHERE
        also = {at[name] for name in (*cached, pin) if name in at}
        return particular(item, column, self.lanes, also, output, cached, pin, self._tie_s, first)
