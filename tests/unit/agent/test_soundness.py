"""What breaks the schema is left out of a report; the report is not."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from orion_agent.soundness import Soundness
from orion_contracts import schema
from orion_contracts.health import DiskModel, Engine, NodeHealth, ResidentModel


def report(**facts: Any) -> dict[str, Any]:
    """A sound report but for `facts`."""
    return NodeHealth(
        node="pi-a", incarnation="i", timestamp="2026-01-01T00:00:00Z",
        engine=Engine(reachable=True), **facts,
    ).to_wire()  # fmt: skip


def written(document: dict[str, Any], sound: Soundness | None = None) -> dict[str, Any]:
    """What a router reads, checked as a router does."""
    fields = (sound or Soundness()).fields(document)
    read = {name: orjson.loads(raw) for name, raw in fields.items()}
    schema.check("node-health", read)
    return read


@pytest.mark.parametrize(
    ("facts", "field", "left"),
    [
        ({"temperature_c": float("nan")}, "temperature_c", None),
        ({"memory_total_bytes": -1}, "memory_total_bytes", None),
        ({"disk_free_bytes": 2**70}, "disk_free_bytes", None),
        ({"load_1m": b"1"}, "load_1m", None),
        ({"rates": {"m": {"load_s": float("inf")}}}, "rates", {"m": {}}),
        (
            {"resident": (ResidentModel(name="m", context_length=-5, digest="d"),)},
            "resident",
            [{"name": "m", "digest": "d", "size_bytes": 0, "expires_at": ""}],
        ),
        ({"resident": (ResidentModel(name=7),)}, "resident", []),  # type: ignore[arg-type]
        (
            {"models": (DiskModel(name="m", details=[]),)},  # type: ignore[arg-type]
            "models",
            [{"name": "m", "digest": "", "size_bytes": 0, "modified_at": "", "capabilities": []}],
        ),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_only_what_is_wrong_is_missing(facts: dict[str, Any], field: str, left: Any) -> None:
    """Of a list the item, of an object the member, else the whole field; never the report."""
    read = written(report(**facts))
    assert read.get(field) == left
    assert read["engine"]["reachable"] is True


def test_a_sound_report_is_written_as_it_is() -> None:
    """The usual case, also with what was judged before."""
    model = DiskModel(name="m", details={"family": "x"}, capabilities=("completion",))
    sound, wire = Soundness(), report(temperature_c=50.0, models=(model,))
    assert written(wire, sound) == wire
    assert written(wire | {"seq": 2}, sound) == wire | {"seq": 2}


def test_what_is_left_out_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not with every report."""
    sound = Soundness()
    with caplog.at_level(logging.ERROR):
        for seq in range(3):
            written(report(seq=seq, memory_total_bytes=-1 - seq), sound)
    assert [r.getMessage() for r in caplog.records] == [
        "the report leaves out what breaks its schema: memory_total_bytes: minimum = 0"
    ]
