"""A board's watts and joules, against hand-computed values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_contracts import power, schema
from orion_contracts.health import Engine, NodeHealth
from orion_contracts.power import ESTIMATED, PI4, PI5, PowerModel, of_board

WATTS = st.none() | st.floats(0, 1000)


def test_power_lies_between_idle_and_full() -> None:
    """3 W idle, 9 W full: a load draws 3 + 0.3 x 6 W; nonsense counts as the nearest bound."""
    assert [PI5.watts(u) for u in (0.0, 0.3, 1.0)] == [3.0, pytest.approx(4.8), 9.0]
    assert (PI5.watts(-1.0), PI5.watts(7.0)) == (3.0, 9.0)
    assert PI4.watts(0.5) == pytest.approx(4.55)
    assert (PowerModel(5.0, 5.0).active_w, PowerModel(5.0, 4.0).active_w) == (0.0, 0.0)


def test_the_example_of_the_decision() -> None:
    """ADR 0010: a load of 20 s, 4 s of prompt and 10 s of answer are 120 J, 34 s idle 102 J."""
    assert PI5.active_j(20.0, 4.0 + 10.0) == pytest.approx(120.0)
    assert PI5.active_j(0.0, 14.0) == pytest.approx(84.0)
    assert PI5.idle_j(34.0) == pytest.approx(102.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0\0", PI5),
        ("Raspberry Pi 500 Rev 1.0", PI5),
        ("Raspberry Pi Compute Module 5 Rev 1.0\n", PI5),
        ("Raspberry Pi 4 Model B Rev 1.5", PI4),
        ("Raspberry Pi 400 Rev 1.0", PI4),
        ("Raspberry Pi Compute Module 4 Rev 1.1", PI4),
        ("Raspberry Pi 3 Model B", ESTIMATED),
        ("", ESTIMATED),
    ],
)
def test_the_kind_of_board_decides(text: str, expected: PowerModel) -> None:
    """By its device tree's model; others get a Pi 5's figures, and that is said."""
    assert of_board(text) == expected


def test_an_unknown_board_is_called_estimated() -> None:
    """The figures alone do not tell."""
    assert (ESTIMATED.idle_w, ESTIMATED.max_w, ESTIMATED.source) == (3.0, 9.0, "estimated")
    assert PI5.source == "board"


@pytest.mark.parametrize(
    ("idle_w", "max_w", "expected"),
    [
        (None, None, PowerModel(3.0, 9.0, "board")),
        (4.0, 12.0, PowerModel(4.0, 12.0, "configured")),
        (4.0, None, PowerModel(4.0, 9.0, "board")),
        (None, 12.0, PowerModel(3.0, 12.0, "board")),
        (10.0, None, PowerModel(10.0, 10.0, "board")),
        (None, 2.0, PowerModel(2.0, 2.0, "board")),
        (0.0, 0.0, PowerModel(0.0, 0.0, "configured")),
        (None, 0.0, PowerModel(0.0, 0.0, "board")),
    ],
)
def test_the_configuration_goes_first(
    idle_w: float | None, max_w: float | None, expected: PowerModel
) -> None:
    """`configured` are both; one alone moves the other no further than it must."""
    assert PI5.overridden(idle_w, max_w) == expected


@given(idle_w=WATTS, max_w=WATTS, load_s=st.floats(0, 1e6), work_s=st.floats(0, 1e6))
def test_work_never_gives_energy_back(
    idle_w: float | None, max_w: float | None, load_s: float, work_s: float
) -> None:
    """Whatever is configured."""
    model = PI4.overridden(idle_w, max_w)

    assert model.active_j(load_s, work_s) >= 0
    assert model.watts(1.0) >= model.watts(power.LOADING_SHARE) >= model.watts(0.0)


def test_a_report_carries_model_and_reading() -> None:
    """There and back; without a sensor the field is absent."""
    health = NodeHealth(
        node="pi", incarnation="i", timestamp="2026-01-01T00:00:00Z", engine=Engine(reachable=True),
        power_w=7.4, power=PI4,
    )  # fmt: skip
    wire = health.to_wire()

    schema.check("node-health", wire)
    assert wire["power"] == {"idle_w": 2.7, "max_w": 6.4, "source": "board"}
    assert NodeHealth.from_wire(wire) == health
    bare = replace(health, power_w=None, power=None).to_wire()
    assert not {"power", "power_w"} & bare.keys()
    assert NodeHealth.from_wire(bare).power is None
