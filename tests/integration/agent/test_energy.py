"""A real worker process tells what its answers took: simulated boards, a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orion_contracts import keys, schema
from orion_contracts.stamp import iso_now
from orion_lab.testing import BoardProcess

if TYPE_CHECKING:
    from .conftest import Bench, WorkerProcess

SPEED = 10.0


@pytest.fixture(params=["pi-8gb", "pi4-8gb"])
def spec(request: pytest.FixtureRequest) -> str:
    """The board's hardware."""
    return str(request.param)


@pytest.fixture
def board(tmp_path: Path, spec: str) -> Iterator[BoardProcess]:
    """One that loads and writes in its own time, ten times as fast, and shows its sensors."""
    with BoardProcess(
        "--root", str(tmp_path / "root"), "--speed", str(SPEED), boards=(f"board:0:{spec}",)
    ) as process:
        yield process


async def answer(bench: Bench, tokens: int) -> dict[str, Any]:
    """The final of one request."""
    request = bench.request("Tell me about energy", options={"num_predict": tokens})
    await bench.give(request)
    final = await bench.final(request)
    schema.check("inference.response", final)
    return final


def counted(worker: WorkerProcess) -> dict[tuple[str, ...], float]:
    """Samples of the worker's metrics by name and label values."""
    text = httpx.get(f"http://127.0.0.1:{worker.metrics_port}/metrics", trust_env=False).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_joules_agree_with_the_durations(bench: Bench, tmp_path: Path, spec: str) -> None:
    """A cold answer, a warm one, and one on a configured board: watts times the time that each
    phase took; what is counted for the board is the sum."""
    worker = await bench.up(
        "--host-root", str(tmp_path / "root/board"), "--health-interval-s", "0.3"
    )
    active_w = {"pi-8gb": 6.0, "pi4-8gb": 3.7}[spec]
    cold, warm = await answer(bench, 60), await answer(bench, 60)
    assert (cold["residency"], warm["residency"]) == ("cold", "warm")
    health = await bench.health()
    assert health["power"]["source"] == "board"
    assert health["power"]["max_w"] - health["power"]["idle_w"] == pytest.approx(active_w)
    assert "power_w" not in health
    await bench.client.set(keys.CONFIG, orjson.dumps({
        "version": "1.0", "generation": 1, "timestamp": iso_now(), "source": "test",
        "nodes": {"pi-1": {"idle_w": 2.0, "max_w": 22.0}},
    }))  # fmt: skip

    async def configured() -> bool:
        return bool((await bench.health())["power"]["source"] == "configured")

    await bench.until(configured, 10, "the configured watts")
    dear = await answer(bench, 60)

    for final, watts in ((cold, active_w), (warm, active_w), (dear, 20.0)):
        work_ms = final["total_duration_ms"] - final["load_duration_ms"]
        expected_j = watts * (0.3 * final["load_duration_ms"] + work_ms) / 1000
        assert final["joules"] == pytest.approx(expected_j, rel=0.15, abs=0.05 * watts)
        assert final["joules"] > 0
        assert final["joules_source"] == "modelled"
    assert cold["joules"] > warm["joules"]
    seen = counted(worker)
    total_j = sum(final["joules"] for final in (cold, warm, dear))
    energy = "orion_worker_energy_joules_total"
    assert seen[energy, "active"] == pytest.approx(total_j, rel=0.01)
    assert seen[energy, "idle"] > 0
    tokens = sum(final["completion_tokens"] for final in (cold, warm, dear))
    per_token = [final["joules"] / final["completion_tokens"] for final in (cold, warm, dear)]
    assert tokens > 0
    assert seen["orion_worker_joules_per_token_sum", cold["model"]] == pytest.approx(
        sum(per_token), rel=0.01
    )


async def test_a_sensor_goes_before_the_model(bench: Bench, tmp_path: Path) -> None:
    """5 W of a chip on the supply while idle, 11 while it answers: reported, and counted."""
    chip = tmp_path / "root/board/sys/class/hwmon/hwmon7"
    chip.mkdir(parents=True)
    (chip / "name").write_text("ina219\n")
    (chip / "power1_input").write_text("5000000\n")
    await bench.up("--host-root", str(tmp_path / "root/board"), "--health-interval-s", "0.1")
    await answer(bench, 2)  # loads it

    async def shows(watts: float) -> bool:
        return (await bench.health()).get("power_w") == watts

    await bench.until(lambda: shows(5.0), 10, "5 W")
    bench.board.set_fault(token_delay_ms=30.0)
    request = bench.request(options={"num_predict": 60})
    await bench.give(request)
    await bench.in_state(request, "RUNNING")
    (chip / "power1_input").write_text("11000000\n")
    final = await bench.final(request)

    assert final["joules_source"] == "measured"
    seconds = final["total_duration_ms"] / 1000
    assert final["joules"] == pytest.approx(6.0 * seconds, rel=0.3)
    await bench.until(lambda: shows(11.0), 10, "11 W")
