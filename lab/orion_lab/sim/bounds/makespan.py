"""A bound no schedule can beat: the makespan from a cold start, with divisible work.

Each board loads some subset of the models once each, from disk; all work is there at time 0, can be
divided at will, and heat does not exist. Exact over all subsets, found by bisection.
"""

from collections.abc import Sequence
from itertools import combinations

from orion_lab import rates
from orion_lab.boards import BoardSpec
from orion_lab.models import model
from orion_lab.sim.asks import Ask
from orion_lab.sim.bounds.work import least_bytes

_PRECISION = 1e-4


def makespan_bound_s(boards: Sequence[BoardSpec], asks: Sequence[Ask]) -> float:
    """Seconds; at most 0.01 % below the exact value. Meant for up to about six boards."""
    work: dict[str, float] = {}
    for ask, needed in zip(asks, least_bytes(asks), strict=True):
        work[ask.model] = work.get(ask.model, 0.0) + needed
    search = _Search(boards, sorted(work), work)
    low_s, high_s = 0.0, 1.0
    while not search.feasible(high_s):
        low_s, high_s = high_s, high_s * 2
    while high_s - low_s > _PRECISION * high_s:
        middle_s = (low_s + high_s) / 2
        if search.feasible(middle_s):
            high_s = middle_s
        else:
            low_s = middle_s
    return low_s


class _Search:
    """Is there a choice of subsets so that all work fits into a given time?

    By Hall's theorem, work fits if for every group of models the boards that loaded one of the
    group have room for the group's work.
    """

    def __init__(
        self, boards: Sequence[BoardSpec], names: Sequence[str], work: dict[str, float]
    ) -> None:
        # Equal boards side by side: of their permutations only one is searched.
        self._boards = sorted(boards, key=_kind)
        groups = [set(each) for each in _subsets(names) if each]
        subsets = _subsets(names)
        self._needs = [sum(work[name] for name in group) for group in groups]
        self._meets = [[not group.isdisjoint(subset) for group in groups] for subset in subsets]
        self._loads_s = [
            [sum(_load_s(spec, name) for name in subset) for subset in subsets]
            for spec in self._boards
        ]

    def feasible(self, within_s: float) -> bool:
        """Whether everything can be done within this time."""
        rooms = [
            [max(0.0, within_s - load_s) * spec.decode_bytes_per_s for load_s in loads_s]
            for spec, loads_s in zip(self._boards, self._loads_s, strict=True)
        ]
        return self._place(rooms, self._most(rooms), 0, 0, self._needs)

    def _most(self, rooms: list[list[float]]) -> list[list[float]]:
        """Per board: the most that it and those after it can give to each group."""
        most = [[0.0] * len(self._needs)]
        for room in reversed(rooms):
            best = [
                max(
                    given if meets[group] else 0.0
                    for given, meets in zip(room, self._meets, strict=True)
                )
                for group in range(len(self._needs))
            ]
            most.append([mine + later for mine, later in zip(best, most[-1], strict=True)])
        return most[::-1]

    def _place(
        self,
        rooms: list[list[float]],
        most: list[list[float]],
        board: int,
        first: int,
        needs: list[float],
    ) -> bool:
        if all(need <= 0.0 for need in needs):
            return True
        if any(need > given for need, given in zip(needs, most[board], strict=True)):
            return False
        for subset in range(first, len(self._meets)):
            given = rooms[board][subset]
            if given <= 0.0:
                continue
            left = [
                need - given if meets else need
                for need, meets in zip(needs, self._meets[subset], strict=True)
            ]
            after = board + 1
            alike = after < len(self._boards) and _kind(self._boards[after]) == _kind(
                self._boards[board]
            )
            if self._place(rooms, most, after, subset if alike else 0, left):
                return True
        return False


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [each for size in range(len(names) + 1) for each in combinations(names, size)]


def _load_s(spec: BoardSpec, name: str) -> float:
    return rates.load_s(spec, model(name).size_bytes, page_cached=False)


def _kind(spec: BoardSpec) -> tuple[float, float, float]:
    return spec.decode_bytes_per_s, spec.storage_bytes_per_s, spec.load_fixed_s
