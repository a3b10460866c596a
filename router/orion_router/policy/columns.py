"""What one model costs on each board, as rows of numbers that a plan goes through fast.

Of a large fleet only the boards that are best for a request of usual length are looked at: a heap
gives the next one when one of them was given work.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from math import inf

from orion_router.policy.batches import Place
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.fares import Fare
from orion_router.policy.lanes import Lane
from orion_router.policy.prices import FREE, Prices
from orion_router.policy.tuning import Tuning

LOOKED_AT = 24
"""Boards that are compared for each request of one model."""
USUAL_INPUT_TOKENS = 200.0


Row = tuple[int, float, float, float, float]


class Column:
    """One model on all lanes. Rows: lane, seconds until it begins, price of a load and its
    seconds, seconds per token of prompt and of answer."""

    __slots__ = ("_beliefs", "_fares", "_heap", "_prices", "_pushed_out_s", "_rows",
                 "_tuning", "displaced_s", "lanes", "model", "output_tokens", "places", "stale",
                 "usual", "where")  # fmt: skip

    def __init__(
        self,
        model: str,
        lanes: Sequence[Lane],
        beliefs: Beliefs,
        tuning: Tuning,
        prices: Prices = FREE,
    ) -> None:
        self.model, self.lanes = model, lanes
        self._beliefs, self._tuning, self._prices = beliefs, tuning, prices
        self._fares: list[Fare | None] = [None] * len(lanes)
        self._pushed_out_s: dict[int, float] = {}
        """Per lane, the price of what leaves its memory."""
        self.places: dict[int, Place] = {}
        """Per lane, where a request would go there."""
        self.displaced_s: dict[int, float] = {}
        """Per lane, what another conversation's request pays for the prompt that it pushes out."""
        self.stale: dict[int, None] = {}
        """Lanes on which something was planned since the rows were asked for."""
        self._heap: list[tuple[float, int]] = []
        found = [self._row(i) for i in range(len(lanes))]
        rows = [row for row in found if row is not None]
        self.output_tokens = 0.0
        """Of a usual answer, where only the best boards for one are looked at."""
        if len(rows) > LOOKED_AT:
            self.output_tokens = beliefs.output_tokens(model, "interactive", 0)
            everyone = [(self._usual_s(row), row) for row in rows]
            best = heapq.nsmallest(LOOKED_AT, everyone)
            inside = {row[0] for _, row in best}
            self._heap = [(s, row[0]) for s, row in everyone if row[0] not in inside]
            heapq.heapify(self._heap)
            rows = [row for _, row in best]
        self._rows = rows
        self.where = {row[0]: at for at, row in enumerate(rows)}
        many = max(1, len(rows))
        self.usual = sum([row[2] for row in rows]) / many, sum([row[3] for row in rows]) / many
        """Seconds per token of prompt and of answer, on an average board."""

    def _row(self, i: int) -> Row | None:
        """The numbers of one lane; None where the model is not, or never fits."""
        lane = self.lanes[i]
        fare = self._fares[i]
        if fare is None:
            fare = lane.stand.fare(self.model, self._beliefs, self._tuning)
            if fare is None:
                return None
            self._fares[i] = fare
        if lane.alone:
            return None
        _, _, prefill, _, load_s, decode, spare_s, gone = fare
        place = self.places[i] = lane.place(self.model, load_s)
        prices = self._prices
        batch, start_s, load_s = place
        if batch:
            extra_s = load_s * (1.0 + prices.waste) + self._tuning.margin_s
            if batch == 1 and gone:
                extra_s += self._pushed_s(i, fare)
            start_s += extra_s
        elif prices.displaced and lane.idle:
            tokens = self._beliefs.prompts.at_risk(lane.name, self.model, lane.now_s, False)
            if tokens:
                self.displaced_s[i] = lost_s = prices.displaced * tokens * prefill
                start_s += lost_s
        return (i, start_s - spare_s, prefill, decode, prices.waste)

    def _pushed_s(self, i: int, fare: Fare) -> float:
        """The price of the models that would leave the lane's memory: of loading those again that
        no other board has, and of reading their prompts again."""
        known = self._pushed_out_s.get(i)
        if known is None:
            lane, known = self.lanes[i], 0.0
            prices = self._prices
            replica, copies, prompts = prices.replica, prices.copies, prices.prompts
            at_risk = self._beliefs.prompts.at_risk
            for model, load_s, prefill_s in fare.gone:
                if replica and copies.get(model) == 1:
                    known += replica * load_s
                if prompts:
                    known += prompts * prefill_s * at_risk(lane.name, model, lane.now_s, True)
            self._pushed_out_s[i] = known
        return known

    def _usual_s(self, row: Row) -> float:
        return row[1] + USUAL_INPUT_TOKENS * row[2] + self.output_tokens * row[3]

    def speeds(self, i: int) -> tuple[float, float, float] | None:
        """Seconds per prompt token and per answer token, and of a load, on lane `i`."""
        fare = self._fares[i]
        return None if fare is None else fare[2:5]

    def work_s(self, i: int, tokens: int, output: float) -> float:
        """Seconds that lane `i` takes for so many tokens of prompt and of answer."""
        fare = self._fares[i]
        return 0.0 if fare is None else tokens * fare.prefill_s + output * fare.decode_s

    def extra(self, lanes: Iterable[int]) -> list[Row]:
        """Rows of lanes that are not looked at."""
        rows = (self._row(i) for i in lanes if i not in self.where)
        return [row for row in rows if row is not None]

    @property
    def rows(self) -> list[Row]:
        """The lanes that are looked at, as they are now."""
        if self.stale:
            for i in self.stale:
                at, row = self.where.get(i), self._row(i)
                if at is None:
                    if row is not None and self._heap:  # it may have become better
                        heapq.heappush(self._heap, (self._usual_s(row), i))
                elif self._heap or row is None:
                    self._renew(at, i, row)
                else:
                    self._rows[at] = row
            self.stale = {}
        return self._rows

    def _renew(self, at: int, i: int, row: Row | None) -> None:
        """Lane `i` in its place, or a better one from outside."""
        usual_s = inf if row is None else self._usual_s(row)
        better = self._next_better(usual_s)
        if better is None:
            self._put(at, i, row)
            return
        if row is not None:
            heapq.heappush(self._heap, (usual_s, i))
        del self.where[i]
        self._rows[at] = better
        self.where[better[0]] = at

    def _put(self, at: int, i: int, row: Row | None) -> None:
        """Lane `i` in its place; without a row the last one takes it."""
        if row is not None:
            self._rows[at] = row
            return
        last = self._rows.pop()
        del self.where[i]
        if last[0] != i:
            self._rows[at] = last
            self.where[last[0]] = at

    def _next_better(self, than_s: float) -> Row | None:
        """The best lane that is not looked at, if it is better; entries may be out of date."""
        heap = self._heap
        while heap and heap[0][0] < than_s:
            usual_s, i = heapq.heappop(heap)
            row = None if i in self.where else self._row(i)
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
