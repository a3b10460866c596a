"""A trace under several policies: their figures, and what the boards went through. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from orion_lab.plots.boards import Seen
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet
from orion_lab.sim.ratios import ratio
from orion_lab.sim.results import Result, result
from orion_lab.sim.runs import simulate
from orion_lab.sim.tables import table
from orion_lab.sim.workloads import Workload
from orion_lab.study.contenders import NAMES, contender
from orion_lab.study.figures import FIGURES, mean
from orion_lab.study.tables import COLUMNS

_SAMPLES = 720


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one policy made of it: a result per seed, and the first seed's course."""

    results: tuple[Result, ...]
    seen: Seen


def policy_name(said: str) -> str:
    """The policy that is meant: case, hyphens and blanks do not matter.

    Raises:
        ValueError: none is; names the known ones.
    """
    plain = {_plain(name): name for name in NAMES}
    plain |= {"lc": "least connections", "chwbl": "CHWBL by model", "herd": "herd-like"}
    if _plain(said) in plain:
        return plain[_plain(said)]
    near = get_close_matches(_plain(said), plain, n=1)
    known = "; ".join(name for name in NAMES if not name.startswith("ours:"))
    hint = f"; did you mean {plain[near[0]]!r}?" if near else ""
    raise ValueError(f"no policy {said!r}{hint} Known: {known}")


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace(",", " ").split())


def replay(
    boards: Fleet, load: Workload, name: str, seeds: Sequence[int], conditions: Conditions
) -> Replayed:
    """Run it; the seeds only decide where a policy throws dice."""
    told = replace(conditions, sample_every_s=max(1.0, load.lasts_s / _SAMPLES))
    outcomes = [simulate(boards, load, contender(name, boards, seed), seed, told) for seed in seeds]
    results = tuple(
        result(outcome, name, load.name, boards.name, seed)
        for outcome, seed in zip(outcomes, seeds, strict=True)
    )
    return Replayed(results, Seen(name, boards.names(), outcomes[0].samples))


def report(replayed: Sequence[Replayed]) -> str:
    """The figures, and the first policy against each other one."""
    rows = [
        [each.seen.name,
         *(format(mean([FIGURES[name](one) for one in each.results]), form)
           for _, form, name in COLUMNS)]
        for each in replayed
    ]  # fmt: skip
    lines = [table(["policy", *(head for head, _, _ in COLUMNS)], rows)]
    first = replayed[0]
    for other in replayed[1:]:
        shares = [
            ratio([FIGURES[name](one) for one in first.results],
                  [FIGURES[name](one) for one in other.results]).mean
            for name in ("TTFT", "TTFT p95", "makespan")
        ]  # fmt: skip
        lines.append(
            f"{first.seen.name} / {other.seen.name}: mean time to first token {shares[0]:.2f}, "
            f"p95 {shares[1]:.2f}, makespan {shares[2]:.2f}"
        )
    return "\n".join(lines)
