"""What boards report, followed from look to look (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orion_contracts.config import Thresholds
from orion_contracts.health import NodeHealth
from orion_operator.board import Gates, Sighting
from orion_operator.spec_fleet import ThresholdSpec


@dataclass(frozen=True, slots=True)
class Read:
    """One board in the store at one look."""

    report: NodeHealth | None
    alive: bool
    marked: bool


OPEN = Gates()
NOTHING = Read(None, False, False)


@dataclass(frozen=True, slots=True)
class Trail:
    """What is remembered of a board. `heard_s`: when it last gave a sign of life."""

    heard_s: float
    heard: bool = False
    gates: Gates = OPEN
    last: Read = NOTHING


Trails = Mapping[str, Trail]


def follow(
    before: Trails, reads: Mapping[str, Read], spec: ThresholdSpec, now_s: float
) -> dict[str, Trail]:
    """The trails after one look at the store."""
    limits = Thresholds(
        temperature_exclude_c=spec.temperature_exclude_c,
        temperature_return_c=spec.temperature_return_c,
        ram_exclude_percent=spec.ram_exclude_percent,
        ram_return_percent=spec.ram_return_percent,
    )
    after: dict[str, Trail] = {}
    for name, read in reads.items():
        old = before.get(name, Trail(now_s))
        here = read.alive and read.report is not None
        after[name] = Trail(
            heard_s=now_s if here else old.heard_s,
            heard=old.heard or here,
            gates=old.gates.after(read.report, limits),
            last=read,
        )
    return after


def sightings(trails: Trails, names: Iterable[str], now_s: float) -> dict[str, Sighting]:
    """What is known of each board now."""
    found: dict[str, Sighting] = {}
    for name in names:
        if (trail := trails.get(name)) is not None:
            found[name] = Sighting(
                report=trail.last.report,
                alive=trail.last.alive,
                marked=trail.last.marked,
                gates=trail.gates,
                heard=trail.heard,
                silent_s=now_s - trail.heard_s,
            )
    return found


def reckoned_while_away(trails: Trails, away_s: float) -> dict[str, Trail]:
    """The store was away for so long: the silence of the boards is not theirs."""
    return {name: Trail(t.heard_s + away_s, t.heard, t.gates, t.last) for name, t in trails.items()}
