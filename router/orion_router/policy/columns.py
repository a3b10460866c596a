"""What one model costs on each board, as rows of numbers that a plan goes through fast.

Of a large fleet only the boards that are best for a request of usual length are looked at: a heap
gives the next one when one of them was given work.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from math import fsum, inf

from orion_router.fleet import Node, normal
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.footing import beside, fits
from orion_router.policy.lanes import Lane, Place
from orion_router.policy.speeds import speed
from orion_router.policy.tuning import Tuning

LOOKED_AT = 24
"""Boards that are compared for each request of one model."""
USUAL_INPUT_TOKENS = 200.0


Row = tuple[int, float, float, float, float]
NOWHERE: Mapping[str, int] = {}


def disk_load_s(node: Node, model: str) -> float:
    """Seconds that a load from the board's disk takes, by the rule of thumb."""
    file = node.on_disk.get(model)
    size = file.size_bytes if file else 0
    return speed(size, node.said.storage_bytes_per_second).load_s


def heaviest_load_s(node: Node) -> float:
    """Seconds that the largest model of the board takes to load from its disk."""
    known: float | None = node.notes.get("heaviest_load_s")
    if known is None:
        largest = max(node.on_disk.values(), key=lambda file: file.size_bytes, default=None)
        known = disk_load_s(node, normal(largest.name) if largest else "")
        node.notes["heaviest_load_s"] = known
    return known


class Column:
    """One model on all lanes. Rows: lane, seconds until it begins, price of a load and its
    seconds, seconds per token of prompt and of answer."""

    __slots__ = ("_beliefs", "_heap", "_replica_price", "_replicas", "_rows", "_spare_s", "_speeds",
                 "_stale", "_tuning", "lanes", "model", "output_tokens", "places", "usual",
                 "where")  # fmt: skip

    def __init__(
        self,
        model: str,
        lanes: Sequence[Lane],
        beliefs: Beliefs,
        tuning: Tuning,
        price: float,
        replicas: Mapping[str, int] = NOWHERE,
        replica_price: float = 0.0,
    ) -> None:
        self.model, self.lanes = model, lanes
        self._replicas, self._replica_price = replicas, replica_price
        self._beliefs, self._tuning = beliefs, tuning
        self.output_tokens = beliefs.output_tokens(model, "interactive", 0)
        self._speeds: dict[int, tuple[float, float, float]] = {}
        self._spare_s: dict[int, float] = {}
        self.places: dict[int, Place] = {}
        self._stale: dict[int, float] = {}
        self._rows: list[Row] = []
        self.where: dict[int, int] = {}
        self._heap: list[tuple[float, int]] = []
        found = (self._row(i, price) for i in range(len(lanes)))
        everyone = [(self._usual_s(row), row) for row in found if row is not None]
        if len(everyone) > LOOKED_AT:
            best = heapq.nsmallest(LOOKED_AT, everyone)
            inside = {row[0] for _, row in best}
            self._heap = [(s, row[0]) for s, row in everyone if row[0] not in inside]
            heapq.heapify(self._heap)
            everyone = best
        self._rows = [row for _, row in everyone]
        self.where = {row[0]: at for at, row in enumerate(self._rows)}
        many = max(1, len(self._rows))
        self.usual = (sum(r[2] for r in self._rows) / many, sum(r[3] for r in self._rows) / many)
        """Seconds per token of prompt and of answer, on an average board."""

    def _row(self, i: int, price: float) -> Row | None:
        """The numbers of one lane; None where the model is not, or never fits."""
        lane = self.lanes[i]
        known = self._speeds.get(i)
        if known is None:
            if self.model not in lane.node.on_disk or not fits(lane.node, self.model):
                return None
            pace = self._beliefs.speed(lane.node, self.model)
            slower = lane.derate
            load_s = pace.load_s if self._tuning.load_term else 0.0
            known = (pace.prefill_s_per_token * slower, pace.decode_s_per_token * slower, load_s)
            self._spare_s[i] = self._tuning.versatility * heaviest_load_s(lane.node)
            self._speeds[i] = known
        if lane.alone:
            return None
        prefill, decode, load_s = known
        place = self.places[i] = lane.place(self.model, load_s)
        extra = place.load_s
        if place.load_s or place.batch:
            extra = place.load_s * (1.0 + price) + self._tuning.margin_s
            if place.batch == 1 and self._replica_price:
                extra += self._replica_price * self._pushed_out_s(lane)
        return (
            i,
            place.begin_s + extra - self._spare_s[i],
            prefill,
            decode * self._tuning.decode_weight,
            price,
        )

    def _pushed_out_s(self, lane: Lane) -> float:
        """Seconds of loading that models need which only this board has, and which would leave."""
        if not lane.memory:
            return 0.0
        gone = lane.memory - beside(lane.node, lane.memory, self.model) - {self.model}
        return fsum(
            disk_load_s(lane.node, model) for model in gone if self._replicas.get(model) == 1
        )

    def _usual_s(self, row: Row) -> float:
        return row[1] + USUAL_INPUT_TOKENS * row[2] + self.output_tokens * row[3]

    def speeds(self, i: int) -> tuple[float, float, float] | None:
        """Seconds per prompt token and per answer token, and of a load, on lane `i`."""
        return self._speeds.get(i)

    def extra(self, lanes: Iterable[int], price: float) -> list[Row]:
        """Rows of lanes that are not looked at."""
        rows = (self._row(i, price) for i in lanes if i not in self.where)
        return [row for row in rows if row is not None]

    @property
    def rows(self) -> list[Row]:
        """The lanes that are looked at, as they are now."""
        if self._stale:
            for i, price in self._stale.items():
                self._renew(i, price)
            self._stale = {}
        return self._rows

    def changed(self, i: int, price: float) -> None:
        """Something was planned on lane `i`."""
        if self._heap:
            self._renew(i, price)
        elif i in self.where:
            self._stale.pop(i, None)
            self._stale[i] = price  # worked out when it is asked for: a lane may change often

    def _renew(self, i: int, price: float) -> None:
        at = self.where.get(i)
        if at is None:
            return
        row = self._row(i, price)
        if self._heap:
            usual_s = inf if row is None else self._usual_s(row)
            fresh = self._next_better(usual_s, price)
            if fresh is not None:
                if row is not None:
                    heapq.heappush(self._heap, (usual_s, i))
                del self.where[i]
                self._rows[at] = fresh
                self.where[fresh[0]] = at
                return
        if row is not None:
            self._rows[at] = row
            return
        last = self._rows.pop()
        del self.where[i]
        if last[0] != i:
            self._rows[at] = last
            self.where[last[0]] = at

    def _next_better(self, than_s: float, price: float) -> Row | None:
        """The best lane that is not looked at, if it is better; entries may be out of date."""
        heap = self._heap
        while heap and heap[0][0] < than_s:
            usual_s, i = heapq.heappop(heap)
            row = self._row(i, price)
            if row is None:
                continue
            now_s = self._usual_s(row)
            if now_s > usual_s and heap and now_s > heap[0][0]:
                heapq.heappush(heap, (now_s, i))
                continue
            if now_s >= than_s:
                heapq.heappush(heap, (now_s, i))
                return None
            return row
        return None
