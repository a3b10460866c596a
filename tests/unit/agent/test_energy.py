"""Who draws a board's power, against hand-computed values; sensors that are there, or strange."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from orion_agent import power_sensors
from orion_agent.energy import Draw, Meter
from orion_agent.engine import Done
from orion_agent.metrics import MAX_MODELS, Metrics
from orion_agent.sensors import read_sample
from orion_agent.tools import Outcome
from orion_contracts.health import RunState
from orion_contracts.power import PI4, PI5

STATES: tuple[RunState, ...] = ("loading", "prefill", "decode")


def meter() -> Meter:
    """Of a Pi 5 (3 to 9 W), from second 0."""
    return Meter(0.0, PI5)


def test_a_cold_request_by_hand() -> None:
    """20 s of loading, 4 s of prompt, 10 s of answer: 120 J beyond 34 s of idling at 3 W."""
    m = meter()
    draw = m.begin("loading", 0.0)
    m.enter(draw, "prefill", 20.0)
    m.enter(draw, "decode", 24.0)
    m.end(draw, 34.0)

    spent = m.spent(draw, 99.0)
    assert spent.joules == pytest.approx(120.0)
    assert spent.origin == "modelled"
    assert m.totals == pytest.approx((120.0, 102.0))


def test_a_board_without_work_only_idles() -> None:
    """And the clock never runs backwards."""
    m = meter()
    m.advance(10.0)
    m.advance(5.0)

    assert m.totals == (0.0, 30.0)


def test_two_at_once_share_one_board() -> None:
    """10 s together are 30 J each, 10 s alone 60: a board draws no more than it can."""
    m = meter()
    a, b = m.begin("decode", 0.0), m.begin("prefill", 0.0)
    m.end(a, 10.0)
    m.end(b, 20.0)

    assert (a.joules, b.joules) == pytest.approx((30.0, 90.0))
    assert m.totals[0] == pytest.approx(120.0)


def test_one_that_loads_beside_one_that_works() -> None:
    """The board is busy to the full; they share it as 0.3 to 1."""
    m = meter()
    load, work = m.begin("loading", 0.0), m.begin("decode", 0.0)
    m.end(load, 13.0)
    m.end(work, 13.0)

    assert (load.joules, work.joules) == pytest.approx((18.0, 60.0))


def test_two_that_wait_for_one_load() -> None:
    """Share it: 10 s x 0.3 x 6 W."""
    m = meter()
    draws = [m.begin("loading", 0.0) for _ in range(2)]
    for draw in draws:
        m.end(draw, 10.0)

    assert [draw.joules for draw in draws] == pytest.approx([9.0, 9.0])
    assert m.totals[0] == pytest.approx(18.0)


def test_what_ended_draws_no_more() -> None:
    """Also when that is said twice."""
    m = meter()
    draw = m.begin("decode", 0.0)
    m.end(draw, 1.0)
    m.end(draw, 5.0)
    m.advance(9.0)

    assert (draw.joules, draw.seconds) == pytest.approx((6.0, 1.0))


def test_a_run_can_be_asked_in_its_midst() -> None:
    """What it took so far: for one that its client cancels."""
    m = meter()
    draw = m.begin("decode", 0.0)

    assert m.spent(draw, 2.0).joules == pytest.approx(12.0)
    assert m.spent(draw, 3.0).joules == pytest.approx(18.0)


def test_the_configuration_counts_from_when_it_is_seen() -> None:
    """What was drawn before keeps its price; without a word it is the board's kind again."""
    m = meter()
    draw = m.begin("decode", 0.0)
    m.configure(4.0, 14.0, 1.0)
    assert m.model.source == "configured"
    m.configure(None, None, 3.0)
    m.end(draw, 4.0)

    assert draw.joules == pytest.approx(6.0 + 20.0 + 6.0)
    assert m.totals[1] == pytest.approx(3.0 + 8.0 + 3.0)
    assert m.model == PI5


def test_readings_go_before_the_model() -> None:
    """Beyond what the same sensor shows of the idle board: a sensor need not see everything."""
    m = meter()
    m.advance(5.0, 2.0)
    m.advance(10.0, 2.0)
    draw = m.begin("decode", 10.0)
    m.advance(15.0, 7.0)
    m.end(draw, 16.0)

    spent = m.spent(draw, 16.0)
    assert spent.joules == pytest.approx(5 * 5.0 + 1 * 6.0)
    assert spent.origin == "measured"
    assert m.totals[1] == pytest.approx(16 * 2.0)


def test_a_reading_below_idle_gives_nothing_back() -> None:
    """Sensors are noisy."""
    m = meter()
    draw = m.begin("decode", 0.0)
    m.advance(5.0, 0.5)

    assert m.spent(draw, 5.0) == (0.0, "measured")


def test_a_configured_idle_power_goes_before_a_quiet_reading() -> None:
    """Whoever configures both watts knows where they measured."""
    m = meter()
    m.configure(4.0, 12.0, 0.0)
    m.advance(5.0, 2.0)
    draw = m.begin("decode", 5.0)
    m.advance(10.0, 7.0)

    assert draw.joules == pytest.approx(5 * 3.0)


def test_the_idle_power_follows_the_quiet_readings() -> None:
    """A tenth of each new one: 2 W, then 2 + 0.1 x (4 - 2)."""
    m = meter()
    m.advance(5.0, 2.0)
    m.advance(10.0, 4.0)

    assert m.totals[1] == pytest.approx(5 * 2.0 + 5 * 2.2)


@pytest.mark.parametrize(
    ("seconds", "measured_s", "origin"),
    [(0.0, 0.0, "modelled"), (4.0, 2.0, "measured"), (4.0, 1.9, "modelled")],
)
def test_half_of_the_time_decides(seconds: float, measured_s: float, origin: str) -> None:
    """A run that took no time was not measured."""
    assert Draw(1.0, 0.0, seconds, measured_s).spent.origin == origin


def test_a_short_run_between_readings_is_modelled() -> None:
    """And so is one of which less than half was measured."""
    m = meter()
    m.advance(1.0, 3.0)
    short = m.begin("decode", 1.0)
    m.end(short, 2.0)
    half = m.begin("prefill", 2.0)
    m.advance(3.0, 8.0)
    m.end(half, 5.0)

    assert [m.spent(draw, 9.0).origin for draw in (short, half)] == ["modelled", "modelled"]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 50),
            st.sampled_from(("begin", "enter", "end", "read", "look")),
            st.sampled_from(STATES),
            st.floats(0, 20),
        ),
        max_size=40,
    )
)
def test_the_parts_add_up(events: list[tuple[float, str, RunState, float]]) -> None:
    """Whatever happens: no joule of work without its run, none twice, and nothing ever falls."""
    m, now = Meter(0.0, PI4), 0.0
    every: list[Draw] = []
    for wait_s, what, state, watts in events:
        now += wait_s
        before = m.totals
        if what == "begin":
            every.append(m.begin(state, now))
        elif what == "read":
            m.advance(now, watts)
        elif every and what == "enter":
            m.enter(every[-1], state, now)
        elif every and what == "end":
            m.end(every[0 if state == "loading" else -1], now)
        elif every:
            m.spent(every[0], now)
        assert m.totals[0] >= before[0]
        assert m.totals[1] >= before[1]
    assert m.totals[0] == pytest.approx(sum(draw.joules for draw in every))


def put(root: Path, **files: str) -> None:
    """Files of hwmon: `chip__file="text"`."""
    for name, text in files.items():
        path = root / "sys/class/hwmon" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_power_is_read_from_hwmon(tmp_path: Path) -> None:
    """Microwatts; a chip made for measuring goes first, and of it the largest: the supply."""
    assert read_sample(tmp_path).power_w is None
    put(tmp_path, hwmon0__name="gpu\n", hwmon0__power1_input="30000000\n")
    assert read_sample(tmp_path).power_w == 30.0
    put(tmp_path, hwmon3__name="ina219\n", hwmon3__power1_input="5140000\n")
    put(tmp_path, hwmon3__power2_input="7260000\n")
    assert read_sample(tmp_path).power_w == 7.3


@pytest.mark.parametrize("text", ["", "much", "0", "-5000000", "9e9", "999999999999"])
def test_a_strange_reading_is_none(tmp_path: Path, text: str) -> None:
    """Never an error, never a fantastic number."""
    put(tmp_path, hwmon0__name="ina219", hwmon0__power1_input=text)

    assert power_sensors.read_power_w(tmp_path) is None


def test_the_power_chips_rails_are_summed() -> None:
    """As `vcgencmd pmic_read_adc` prints them; rails without a current do not count."""
    said = (
        "   3V7_WL_SW_A current(0)=0.10000000A\n"
        "   VDD_CORE_A current(7)=2.50000000A\n"
        "   3V7_WL_SW_V volt(8)=3.70000000V\n"
        "    VDD_CORE_V volt(15)=0.80000000V\n"
        "      EXT5V_V volt(24)=5.15000000V\n"
    )

    assert power_sensors.pmic_w(said) == pytest.approx(0.37 + 2.0)
    assert power_sensors.pmic_w("VCHI initialization failed\n") is None
    assert power_sensors.pmic_w("VDD_CORE_A current(7)=1.2.3A\nVDD_CORE_V volt(15)=1V\n") is None


@pytest.mark.parametrize(
    "failure", [subprocess.TimeoutExpired("vcgencmd", 1), OSError("no"), None], ids=str
)
def test_the_power_chip_never_fails_a_report(
    monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    """A program that is there and hangs, fails, or works."""

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        if failure is not None:
            raise failure
        return subprocess.CompletedProcess([], 0, "A_A current(0)=2.0A\nA_V volt(1)=3.0V\n")

    def found(_: str) -> str:
        return "/usr/bin/vcgencmd"

    def there(_: Path) -> bool:
        return True

    def no_files(*_: object) -> Iterator[Path]:
        return iter(())

    monkeypatch.setattr(Path, "exists", there)
    monkeypatch.setattr(Path, "glob", no_files)
    monkeypatch.setattr(shutil, "which", found)
    monkeypatch.setattr(subprocess, "run", run)

    assert power_sensors.read_power_w(Path("/")) == (None if failure else 6.0)


def test_the_kind_of_board_is_read_where_it_can_be(tmp_path: Path) -> None:
    """Of either place; masked, as in containers, it is unknown."""
    assert power_sensors.board_model(tmp_path) == ""
    for place in ("sys/firmware/devicetree/base/model", "proc/device-tree/model"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"Pi by {place[:4]}\0")
        assert power_sensors.board_model(tmp_path) == f"Pi by {place[:4]}"


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """One sample."""
    return registry.get_sample_value(name, labels)


def test_metrics_of_energy() -> None:
    """The board's two counters, and joules per token of the answer by model."""
    m = meter()
    draw = m.begin("decode", 0.0)
    m.end(draw, 10.0)
    metrics = Metrics(lambda: m.totals)
    done = Done("stop", 100, 40, 10.0)
    metrics.ended(Outcome("completed", done=done, spent=m.spent(draw, 10.0)), 10.0, "tiny")
    metrics.ended(Outcome("cancelled", spent=m.spent(draw, 10.0)), 10.0, "other:1b")

    energy = "orion_worker_energy_joules_total"
    assert value(metrics.registry, energy, kind="active") == pytest.approx(60.0)
    assert value(metrics.registry, energy, kind="idle") == pytest.approx(30.0)
    per = "orion_worker_joules_per_token"
    assert value(metrics.registry, f"{per}_sum", model="tiny:latest") == pytest.approx(1.5)
    assert value(metrics.registry, f"{per}_count", model="other:1b") is None


def test_labels_are_bounded() -> None:
    """Whatever models a board has had: 64 of them have a name."""
    metrics, m = Metrics(), meter()
    spent = m.spent(m.begin("decode", 0.0), 1.0)
    for i in range(MAX_MODELS + 9):
        metrics.ended(Outcome("completed", done=Done("stop", 1, 1), spent=spent), 1.0, f"m{i}:1b")

    per = "orion_worker_joules_per_token_count"
    assert value(metrics.registry, per, model="m63:1b") == 1
    assert value(metrics.registry, per, model="m64:1b") is None
    assert value(metrics.registry, per, model="other") == 9
