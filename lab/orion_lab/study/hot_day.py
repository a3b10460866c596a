"""The hot day on three boards for 30 minutes, with the thermal rules and without, as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from orion_lab.plots.boards import HARD_C, Seen, picture
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet, fleet
from orion_lab.sim.heat import after_c
from orion_lab.sim.outcomes import Outcome
from orion_lab.sim.runs import simulate
from orion_lab.sim.tables import table
from orion_lab.sim.workloads import HOT, Workload
from orion_lab.study.cells import OURS
from orion_lab.study.contenders import LC, NO_HEAT, contender
from orion_lab.thermal import steady_c

PICTURE: Final = "images/hot-day.svg"
SEEDS: Final = tuple(range(1, 9))
_HALF_HOUR: Final = replace(HOT, lasts_s=1800.0)
_SAMPLE_S = 5.0
_SENSOR_STEP_C = 0.5
"""What a Pi's thermometer cannot tell apart: nobody can foresee less."""


@dataclass(frozen=True, slots=True)
class Day:
    """What a policy made of the half hour, over all seeds."""

    policy: str
    hottest_c: float
    over: int
    """Requests at whose end a board was beyond the hard limit."""
    by_us: int
    """Requests that were begun although they were to be expected to end there, by more than a
    thermometer can tell."""
    answered: float
    """Requests answered within the half hour, per seed."""
    first_token_s: float


def days(seeds: Sequence[int] = SEEDS) -> list[Day]:
    """Ours, ours without its thermal rules, and least connections."""
    boards = fleet("a")
    return [_day(boards, _HALF_HOUR, name, seeds) for name in (OURS, NO_HEAT, LC)]


class Journey(NamedTuple):
    """What a request did to its board's temperature. `expected_c`: had its answer been as long as
    answers are on average, which is all that a router can know when it begins."""

    expected_c: float
    ended_c: float


def journeys(outcome: Outcome, load: Workload) -> Iterator[Journey]:
    """Of every request. Exact: the boards are followed as the simulator does it."""
    for board in outcome.boards:
        idle_c = steady_c(board.spec, load.ambient_c, 0.0)
        load_c = steady_c(board.spec, load.ambient_c, 0.0, 1.0)
        busy_c = steady_c(board.spec, load.ambient_c, 1.0)
        here_c, since_s = idle_c, 0.0
        mine = [each for each in outcome.records if each.board == board.name]
        for each in sorted(mine, key=lambda record: record.started_s):
            begun_c = after_c(here_c, idle_c, each.started_s - since_s)
            warm_c = after_c(begun_c, load_c, each.loaded_s - each.started_s)
            share = load.habits.answer_tokens / each.ask.output_tokens
            expected_s = each.first_token_s + share * (each.done_s - each.first_token_s)
            expected_c = after_c(warm_c, busy_c, expected_s - each.loaded_s)
            here_c, since_s = after_c(warm_c, busy_c, each.done_s - each.loaded_s), each.done_s
            yield Journey(expected_c, here_c)


def _day(boards: Fleet, load: Workload, name: str, seeds: Sequence[int]) -> Day:
    hottest_c, over, by_us, answered, first_s = 0.0, 0, 0, 0, 0.0
    for seed in seeds:
        outcome = simulate(boards, load, contender(name, boards, seed), seed)
        hottest_c = max(hottest_c, *(board.max_c for board in outcome.boards))
        records = outcome.records
        answered += sum(record.done_s <= load.lasts_s for record in records)
        first_s += sum(record.to_first_token_s for record in records) / len(records)
        for journey in journeys(outcome, load):
            over += journey.ended_c > HARD_C
            by_us += journey.expected_c > HARD_C + _SENSOR_STEP_C
    return Day(name, hottest_c, over, by_us, answered / len(seeds), first_s / len(seeds))


def show(docs: Path) -> int:
    """Print the figures, write the picture; 1 if a promise is broken."""
    found = days()
    rows = [
        [each.policy, f"{each.hottest_c:.1f}", str(each.over), str(each.by_us),
         f"{each.answered:.0f}", f"{each.first_token_s:.1f}"]
        for each in found
    ]  # fmt: skip
    heads = ["policy", "hottest °C", "over 80 °C", "foreseeable", "answered", "mean TTFT"]
    print(table(heads, rows))
    path = docs / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_picture())
    ours, free, _ = found
    print(
        f"throughput of ours over ours without thermal rules: {ours.answered / free.answered:.2f}"
    )
    print(f"wrote {path}")
    return 1 if ours.by_us else 0


def _picture() -> str:
    boards, seen = fleet("a"), list[Seen]()
    for name in (OURS, NO_HEAT):
        policy = contender(name, boards, SEEDS[0])
        outcome = simulate(
            boards, _HALF_HOUR, policy, SEEDS[0], Conditions(sample_every_s=_SAMPLE_S)
        )
        samples = [sample for sample in outcome.samples if sample.at_s <= _HALF_HOUR.lasts_s]
        seen.append(Seen(name, boards.names(), samples))
    title = "A hot day (33 °C, two of three boards in closed boxes), fleet a, 30 minutes"
    return picture(title, seen).svg()
