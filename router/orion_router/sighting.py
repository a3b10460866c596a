"""What a look at the store says of a board: its next snapshot, and its health gates (pure).

Freshness is judged by the receiver's monotonic clock: `heard_s` is when a report's sequence number
was last seen to change, never the sender's wall clock.
"""

from __future__ import annotations

from orion_contracts.config import NodeConfig, Thresholds
from orion_contracts.health import NodeHealth
from orion_router.fleet import NOTHING_SAID, Node, State

STALE_S = 12.0
"""Two missed reports and a bit: the report is every 5 s."""
TEMPERATURE_GONE_S = 15.0
SLOPE_OVER_S = 2.0
"""Reports that follow each other faster (a board tells of a change) say nothing of its slope."""
EXCLUDED = "excluded"


def observe(
    before: Node | None,
    name: str,
    health: NodeHealth | None,
    alive: bool,
    draining: bool,
    inflight: frozenset[str],
    now_s: float,
    thresholds: Thresholds,
    said: NodeConfig = NOTHING_SAID,
) -> Node:
    """The board's next snapshot. `health` None: no report in the store (the last one is kept)."""
    news = health is not None and (
        before is None
        or before.health is None
        or (health.incarnation, health.seq) != (before.health.incarnation, before.health.seq)
    )
    heard_s = now_s if news or before is None else before.heard_s
    latest = health or (before.health if before else None)
    hot, full_ram, seen_s = _gates(before, latest, news, now_s, thresholds)
    age_s = now_s - heard_s
    lost_since_s = None if alive else (before.lost_since_s if before else None)
    if not alive and lost_since_s is None:
        lost_since_s = now_s
    state: State = (
        "lost" if not alive else "stale" if latest is None or age_s > STALE_S else "fresh"
    )
    draining = draining or said.drain is not None
    reasons = _reasons(state, latest, draining, hot, full_ram, seen_s, now_s)
    if said.node_class == EXCLUDED:
        reasons = (EXCLUDED, *reasons)
    seen = Node(
        name, latest, alive, draining, heard_s, lost_since_s, hot, full_ram, seen_s, state, reasons,
        inflight, age_s, said, _slope(before, health, news, heard_s), _strain(latest, thresholds),
    )  # fmt: skip
    if before is None or news or latest is not before.health or said != before.said:
        return seen
    return seen.goes_on(before)


def _slope(before: Node | None, health: NodeHealth | None, news: bool, heard_s: float) -> float:
    """Degrees per second between the last two reports that had a temperature."""
    if before is None or before.health is None or health is None:
        return 0.0
    then_c, now_c = before.health.temperature_c, health.temperature_c
    if not news or then_c is None or now_c is None or heard_s - before.heard_s < SLOPE_OVER_S:
        return before.slope_c_per_s
    return (now_c - then_c) / (heard_s - before.heard_s)


def _gates(
    before: Node | None,
    latest: NodeHealth | None,
    news: bool,
    now_s: float,
    limits: Thresholds,
) -> tuple[bool, bool, float | None]:
    """Temperature and RAM gates with hysteresis, and when a temperature was last readable.

    An old report is judged again, too: the thresholds may have changed.
    """
    hot = before.hot if before else False
    full = before.full_ram if before else False
    seen_s = before.temperature_seen_s if before else None
    if latest is None:
        return hot, full, seen_s
    if (celsius := latest.temperature_c) is not None:
        seen_s = now_s if news else seen_s
        hot = celsius > (limits.temperature_return_c if hot else limits.temperature_exclude_c)
    elif not latest.temperature_known_before and seen_s is None:
        hot = False  # never readable: eligible, with a warning elsewhere
    if (percent := latest.ram_used_percent) is not None:
        full = percent > (limits.ram_return_percent if full else limits.ram_exclude_percent)
    return hot, full, seen_s


def _reasons(
    state: State,
    health: NodeHealth | None,
    draining: bool,
    hot: bool,
    full_ram: bool,
    temperature_seen_s: float | None,
    now_s: float,
) -> tuple[str, ...]:
    found: list[str] = []
    if state != "fresh":
        found.append("silent")
    if draining:
        found.append("draining")
    if hot:
        found.append("hot")
    if full_ram:
        found.append("ram")
    if health is not None:
        if not health.engine.reachable:
            found.append("unreachable")
        if health.engine.wedged:
            found.append("wedged")
        gone = health.temperature_c is None and temperature_seen_s is not None
        if gone and now_s - (temperature_seen_s or 0.0) > TEMPERATURE_GONE_S:
            found.append("blind")  # a temperature was readable and is not any more
    return tuple(found)


def _strain(health: NodeHealth | None, limits: Thresholds) -> float:
    celsius = (health.temperature_c or 0.0) if health else 0.0
    percent = (health.ram_used_percent or 0.0) if health else 0.0
    return max(celsius / limits.temperature_exclude_c, percent / limits.ram_exclude_percent)
