"""Targets against what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan

from orion_lab.sim.ratios import Ratio, ratio
from orion_lab.sim.tables import table
from orion_lab.study.cells import OURS, Cell, Group
from orion_lab.study.figures import against, mean, of_seeds
from orion_lab.study.saved import Saved
from orion_lab.study.targets import Target
from orion_lab.study.work import BOUNDS


@dataclass(frozen=True, slots=True)
class Judged:
    """A target and its measured value."""

    target: Target
    measured: Ratio

    @property
    def kept(self) -> bool:
        """The target."""
        return self.target.kept(self.measured.mean, self.target.wanted)

    @property
    def stretched(self) -> bool | None:
        """The stretch; None where there is none."""
        if isnan(self.target.stretch):
            return None
        return self.target.kept(self.measured.mean, self.target.stretch)


def judge(saved: Saved, targets: Iterable[Target], seeds: Sequence[int]) -> list[Judged]:
    """Those whose cells were all run."""
    found: list[Judged] = []
    for target in targets:
        try:
            found.append(Judged(target, _measured(saved, target, seeds)))
        except KeyError:
            continue
    return found


def _measured(saved: Saved, target: Target, seeds: Sequence[int]) -> Ratio:
    group, figure = target.group, target.figure
    ours = of_seeds(saved, group, OURS, figure, seeds)
    match target.how:
        case "ratio":
            return against(saved, group, OURS, target.other, figure, seeds)
        case "value":
            return Ratio(mean(ours), 1.0, min(ours), max(ours), len(ours))
        case "totals":
            theirs = sum(of_seeds(saved, group, target.other, figure, seeds))
            return Ratio(sum(ours) / theirs if theirs else nan, nan, nan, nan, len(ours))
        case "bound":
            bounds = [saved[Cell(group, BOUNDS, seed)].extra[target.other] for seed in seeds]
            return ratio(ours, bounds)


def listing(judged: Sequence[Judged]) -> str:
    """A line per target, and the counts."""
    rows = [
        [
            each.target.text,
            f"{'>=' if each.target.at_least else '<='} {each.target.wanted:.2f}",
            "" if isnan(each.target.stretch) else f"{each.target.stretch:.2f}",
            format(each.measured.mean, ".3f"),
            "" if isnan(each.measured.spread) else f"x{each.measured.spread:.2f}",
            _word(each),
        ]
        for each in judged
    ]
    return table(["target", "wanted", "stretch", "measured", "spread", ""], rows)


def counts(judged: Sequence[Judged]) -> str:
    """One sentence."""
    stretches = [each.stretched for each in judged if each.stretched is not None]
    return (
        f"{sum(each.kept for each in judged)} of {len(judged)} targets kept, "
        f"{sum(stretches)} of {len(stretches)} stretch targets reached"
    )


def _word(each: Judged) -> str:
    if not each.kept:
        return "MISSED"
    return "stretch" if each.stretched else "kept"


@dataclass(frozen=True, slots=True)
class Lead:
    """Our p95 beside that of the best peer of a group."""

    group: Group
    peer: str
    ratio: Ratio

    @property
    def lost(self) -> bool:
        """Ours is worse."""
        return self.ratio.mean > 1.0


def leads(
    saved: Saved, groups: Iterable[Group], peers: Iterable[str], seeds: Sequence[int],
    figure: str = "TTFT p95",
) -> list[Lead]:  # fmt: skip
    """Per group, against the peer that has the best figure there."""
    found: list[Lead] = []
    for group in groups:
        best = min(peers, key=lambda peer: mean(of_seeds(saved, group, peer, figure, seeds)))
        found.append(Lead(group, best, against(saved, group, OURS, best, figure, seeds)))
    return found


def lost(saved: Saved, groups: Sequence[Group], peers: Sequence[str], seeds: Sequence[int]) -> str:
    """The cells whose p95 is worse than the best peer's, in a sentence."""
    found = [each for each in leads(saved, groups, peers, seeds) if each.lost]
    named = "".join(f"\n  {each.group}: {each.ratio.mean:.2f} of {each.peer}" for each in found)
    return f"{len(found)} of {len(groups)} lost{named}"
