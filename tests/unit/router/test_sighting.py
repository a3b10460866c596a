"""The fleet's health gates."""

from __future__ import annotations

import math

import pytest

from builders.fleets import GIB, health, node
from orion_contracts.config import NodeConfig, Thresholds
from orion_contracts.health import Engine, NodeHealth
from orion_router.fleet import Node
from orion_router.sighting import observe


def see(before: Node | None, report: NodeHealth | None, now_s: float, alive: bool = True) -> Node:
    return observe(before, "pi", report, alive, False, frozenset(), now_s, Thresholds())


@pytest.mark.parametrize(
    ("celsius", "eligible"), [(74.9, True), (75.0, True), (75.1, False), (80.0, False)]
)
def test_a_board_above_75_degrees_is_excluded(celsius: float, eligible: bool) -> None:
    """The customer's gate: temperature > 75 °C excludes, 75 °C itself does not."""
    assert node("pi", temperature_c=celsius).eligible is eligible


@pytest.mark.parametrize(("used", "eligible"), [(90.0, True), (90.5, False), (95.0, False)])
def test_a_board_above_90_percent_of_ram_is_excluded(used: float, eligible: bool) -> None:
    """The customer's gate: used RAM > 90 % excludes, resident model or not."""
    free = math.ceil(8 * GIB * (1 - used / 100))
    assert node("pi", ("m1",), memory_available_bytes=free).eligible is eligible


def test_a_hot_board_returns_only_at_70_degrees() -> None:
    """Hysteresis: excluded above 75, still excluded at 71, back at 70."""
    seen = see(None, health("pi", temperature_c=76.0, seq=1), 0)
    warm = see(seen, health("pi", temperature_c=71.0, seq=2), 5)
    cool = see(warm, health("pi", temperature_c=70.0, seq=3), 10)

    assert [seen.reasons, warm.reasons, cool.reasons] == [("hot",), ("hot",), ()]


def test_a_full_board_returns_only_at_85_percent() -> None:
    """Hysteresis of the RAM gate: excluded above 90 %, back at 85 %."""
    shares = (0.08, 0.12, 0.15)
    nodes: list[Node | None] = [None]
    for i, share in enumerate(shares):
        report = health("pi", memory_available_bytes=int(8 * GIB * share) + 1, seq=i)
        nodes.append(see(nodes[-1], report, 5.0 * i))

    assert [n.reasons for n in nodes if n] == [("ram",), ("ram",), ()]


def test_a_temperature_that_was_never_readable_does_not_exclude() -> None:
    """Unknown from the start: eligible (a warning is shown elsewhere)."""
    seen = see(None, health("pi", temperature_c=None, seq=1), 0)
    later = see(seen, health("pi", temperature_c=None, seq=9), 60)

    assert later.eligible


def test_a_temperature_lost_for_15_seconds_excludes() -> None:
    """Readable once and then lost: blind after 15 s, not before."""
    seen = see(None, health("pi", temperature_c=50.0, seq=1), 0)
    soon = see(seen, health("pi", temperature_c=None, temperature_known_before=True, seq=2), 10)
    late = see(soon, health("pi", temperature_c=None, temperature_known_before=True, seq=3), 16)

    assert soon.eligible
    assert late.reasons == ("blind",)


def test_what_was_worked_out_goes_on_while_nothing_new_is_said() -> None:
    """Boards report every five seconds and are looked at every second. A new report, or another
    word of the configuration, and all of it begins anew."""
    report = health("pi", ("m1",), seq=1)
    first = see(None, report, 0)
    first.notes["m1:latest"] = 1.0
    first.memo["m1:latest", False] = (first.resident, None)
    again = see(first, report, 1)
    assert (again.age_s, again.notes, again.memo) == (1.0, first.notes, first.memo)
    assert again.resident is first.resident

    assert not see(again, health("pi", seq=2), 2).notes
    slots = NodeConfig(slots=1)
    assert not observe(
        again, "pi", report, True, False, frozenset(), 2.0, Thresholds(), slots
    ).notes


def test_a_report_that_stops_changing_grows_stale() -> None:
    """Freshness is the receiver's time since the last new report, whatever its timestamp says."""
    seen = see(None, health("pi", seq=1), 0)
    same = see(seen, health("pi", seq=1), 13)

    assert (seen.state, same.state, same.reasons) == ("fresh", "stale", ("silent",))


def test_a_board_without_a_sign_of_life_is_lost() -> None:
    """No liveness key: lost at once, and it is known since when."""
    seen = see(None, health("pi", seq=1), 0)
    gone = see(seen, None, 3, alive=False)
    still = see(gone, None, 9, alive=False)

    assert (gone.state, still.lost_since_s, still.eligible) == ("lost", 3, False)
    assert still.on_disk, "what it had on disk is remembered: it may come back"


def test_a_board_whose_engine_is_down_takes_nothing() -> None:
    """Ollama unreachable or wedged excludes; draining does, too."""
    assert node("pi", engine=Engine(reachable=False)).reasons == ("unreachable",)
    assert node("pi", engine=Engine(reachable=True, wedged=True)).reasons == ("wedged",)
    assert node("pi", draining=True).reasons == ("draining",)


def said(
    before: Node | None,
    config: NodeConfig,
    limits: Thresholds | None = None,
    celsius: float = 50.0,
) -> Node:
    report = health("pi", seq=1, slots=2, temperature_c=celsius)
    return observe(
        before, "pi", report, True, False, frozenset(), 0, limits or Thresholds(), config
    )


def test_the_configuration_drains_and_excludes_a_board() -> None:
    """A cordoned board drains, one of class excluded gets nothing, and both say why."""
    drained = said(None, NodeConfig(drain="cordoned"))
    excluded = said(None, NodeConfig(node_class="excluded"))
    back = said(drained, NodeConfig())

    assert (drained.draining, drained.reasons) == (True, ("draining",))
    assert (excluded.node_class, excluded.reasons) == ("excluded", ("excluded",))
    assert back.eligible


@pytest.mark.parametrize(("configured", "slots"), [(None, 2), (1, 1), (2, 2), (8, 2)])
def test_a_board_gets_no_more_than_its_worker_runs(configured: int | None, slots: int) -> None:
    """The configuration's slots count as soon as the worker reports that it has as many."""
    assert said(None, NodeConfig(slots=configured)).slots == slots


def test_a_changed_threshold_counts_without_a_new_report() -> None:
    """The gate closes and opens on the report at hand."""
    strict = Thresholds(temperature_exclude_c=60, temperature_return_c=55)
    warm = said(None, NodeConfig(), celsius=65.0)
    closed = said(warm, NodeConfig(), strict, celsius=65.0)
    opened = said(closed, NodeConfig(), celsius=65.0)

    assert [n.reasons for n in (warm, closed, opened)] == [(), ("hot",), ()]
