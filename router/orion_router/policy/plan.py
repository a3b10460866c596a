"""The plan: each waiting request on the board where its answer is expected first (pure).

Greedy list scheduling, anew at every event: requests in their turn, each to the lane with the least
cost. Only what can begin at once is given to a board; the rest stays in the queue, where the next
event may plan it better (late binding).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import fsum, inf

from orion_router.fleet import Node, normal
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.columns import Column
from orion_router.policy.costs import Costs, Offered, particular, plain
from orion_router.policy.deadlines import hopeless
from orion_router.policy.horizon import foreseen, open_until
from orion_router.policy.lanes import Lane
from orion_router.policy.order import in_turn
from orion_router.policy.pins import Pins
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
        unseen: Iterable[Node] = (),
    ) -> None:
        """`unseen`: boards that are not planned for now; what they have in memory counts."""
        self._beliefs, self._tuning, self._now_s = beliefs, tuning, now_s
        self._tie_s = energy_tie_s
        nothing: dict[str, Held] = {}
        self.lanes = [
            Lane(node, load.get(node.name, nothing), beliefs, now_s, tuning.heat_term)
            for node in nodes
            if not suspects.intersection(load.get(node.name, nothing))
        ]
        self._warm = any(lane.headroom_s < inf for lane in self.lanes)
        self._at = {lane.name: i for i, lane in enumerate(self.lanes)}
        self._replicas = Counter(model for lane in self.lanes for model in lane.memory)
        self._replicas.update(model for node in unseen for model in node.resident)
        self._columns: dict[str, Column] = {}
        self._price = self._replica_price = 0.0
        self._alone, self._slots = False, 0
        self._work: dict[str, tuple[Column, float]] = {}
        """Per request: its model on all lanes, and the tokens that are expected of it."""
        self.prospects: dict[str, Prospect] = {}
        self.offered: dict[str, dict[str, Offered]] = {}
        """What was reckoned per request and board, for those that may be given to a board now, and
        for a single one."""
        self.hopeless: set[str] = set()
        """Requests that no board can begin to answer before their deadline."""

    @property
    def free(self) -> int:
        """Slots that nobody uses."""
        return sum([lane.free for lane in self.lanes])

    def _column(self, model: str) -> Column:
        column = self._columns.get(model)
        if column is None:
            column = self._columns[model] = Column(
                model, self.lanes, self._beliefs, self._tuning, self._price, self._replicas,
                self._replica_price,
            )  # fmt: skip
        return column

    def run(
        self, queue: list[Waiting], starvation_s: float, pinned: Pins, whole: bool = False
    ) -> list[tuple[Waiting, Lane]]:
        """What to give to boards now. `whole`: plan to the end of the queue, for `prospects`;
        otherwise only until nothing can change what is due."""
        if not queue or not (self.lanes and (whole or self.free)):
            return []
        self._set_prices(len(queue))
        service_s = self._service_s(queue)
        drain_s = fsum(service_s.values()) / self._slots
        turns = in_turn(queue, self._now_s, self._tuning, starvation_s, drain_s, service_s,
                        self._beliefs.usage_s)  # fmt: skip
        still_open = {} if whole else open_until(turns, self.lanes)
        end = len(turns) - 1 if whole else max(still_open.values(), default=-1)
        for position, (item, starving, pressed) in enumerate(turns):
            if position > end:
                break
            at = self._put(item, pinned(item), starving or pressed)
            if at in still_open and self.lanes[at].settled:
                del still_open[at]
                end = max(still_open.values(), default=-1)
        if whole:
            self.prospects = foreseen(turns, self.lanes)
        return [(item, lane) for lane in self.lanes if lane.free for item in lane.due()]

    def run_alone(self, item: Waiting, pinned: Pins) -> list[tuple[Waiting, Lane]]:
        """The same for a queue of one, where nobody has a turn before another."""
        if not (self.lanes and self.free):
            return []
        self._set_prices(1)
        self._service_s([item])
        at = self._put(item, pinned(item), first=False)
        return [] if at is None else [(each, self.lanes[at]) for each in self.lanes[at].due()]

    def _set_prices(self, queued: int) -> None:
        self._alone = queued == 1
        self._slots = sum([lane.slots for lane in self.lanes])
        self._price = self._tuning.waste_price * min(1.0, queued / (2.0 * self._slots))
        idle = sum([lane.free > 0 for lane in self.lanes]) > queued
        self._replica_price = self._tuning.last_replica_idle if idle else self._tuning.last_replica

    def _service_s(self, queue: list[Waiting]) -> dict[str, float]:
        """Expected seconds of work per request, on an average board."""
        found: dict[str, float] = {}
        for item in queue:
            meta, request_id = item.meta, item.request_id
            column = self._column(normal(meta.model))
            output = self._beliefs.output_tokens(column.model, meta.priority, meta.output_limit)
            self._work[request_id] = column, output
            prefill, decode = column.usual
            found[request_id] = meta.input_tokens * prefill + output * decode
        return found

    def _put(self, item: Waiting, pin: str, first: bool) -> int | None:
        """Plan one request; the lane, or None where no board can take it. `first`: what is planned
        later does not overtake it."""
        meta = item.meta
        column, output = self._work[item.request_id]
        model = column.model
        cached: Mapping[str, int] = {}
        if self._tuning.prefix_term and meta.prefixes:
            cached = self._beliefs.prompts.kept(model, meta.prefixes)
        if meta.deadline_ms is not None and hopeless(
            item, column, self._beliefs, cached, pin, self._now_s
        ):
            self.hopeless.add(item.request_id)
            return None
        costs = self._costs(item, column, output, cached, pin)
        if costs is None:
            if item.crashes and first:
                self._empty(column, pin)
            return None
        best = costs.best
        lane = self.lanes[best]
        if lane.free or self._alone:
            self._tell(item, column, costs)
        prefill, decode, _ = column.speeds(best) or (0.0, 0.0, 0.0)
        at = column.places[best]
        fresh = meta.input_tokens - cached.get(lane.name, 0)
        service_s = max(0, fresh) * prefill + output * decode
        cool = lane.coolest or not lane.too_warm_s(service_s)
        lane.add(item, model, at, service_s, first or not self._tuning.batching, cool)
        if item.crashes:
            lane.alone = True  # a suspect has its board to itself
        for each in self._columns.values():
            each.changed(best, self._price)
        return best

    def _empty(self, column: Column, pin: str) -> None:
        """Nothing more for the board that a starving suspect can have first: it needs it alone."""
        usable = [i for i, *_ in column.rows if pin in ("", self.lanes[i].name)]
        if usable:
            first = min(usable, key=lambda i: (self.lanes[i].all_free_s, i))
            self.lanes[first].alone = True
            for each in self._columns.values():
                each.changed(first, self._price)

    def _costs(
        self, item: Waiting, column: Column, output: float, cached: Mapping[str, int], pin: str
    ) -> Costs | None:
        if not (cached or pin or item.failed_on or item.crashes or self._warm or self._tie_s):
            return plain(column, float(item.meta.input_tokens), output)
        also = {self._at[name] for name in (*cached, pin) if name in self._at}
        return particular(item, column, self.lanes, also, output, cached, pin, self._price,
                          self._tie_s)  # fmt: skip

    def _tell(self, item: Waiting, column: Column, costs: Costs) -> None:
        self.offered[item.request_id] = {
            self.lanes[row[0]].name: Offered(cost_s, *column.places[row[0]][1:])
            for row, cost_s in zip(costs.rows, costs.costs_s, strict=True)
        }
