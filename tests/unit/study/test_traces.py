"""Traces: their lines, what is kept of a request, and running them again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orion_contracts.facts import Facts
from orion_contracts.meta import Meta
from orion_contracts.prefixes import Prefix
from orion_lab.sim.conditions import Conditions
from orion_lab.traces.asks import replayable
from orion_lab.traces.boards import EXAMPLE, choose
from orion_lab.traces.collector import Collector
from orion_lab.traces.lines import Head, Recorded, SeenBoard, Trace, read
from orion_lab.traces.replay import policy_name, replay, report

HEAD = Head(recorded_at="2026-01-01T00:00:00Z", models={"llama3.2:3b": 2_019_000_000})
KEY = b"k" * 16


def turn(number: int, at_s: float, *prefixes: tuple[str, int], **changes: object) -> Recorded:
    values: dict[str, object] = {
        "at_s": at_s, "model": "llama3.2:3b", "status": "completed", "source": "s", "session": "c",
        "input_tokens": prefixes[-1][1] if prefixes else 10, "output_tokens": 20 + number,
        "prefixes": prefixes, "node": "pi", **changes,
    }  # fmt: skip
    return Recorded(**values)  # type: ignore[arg-type]


def test_lines_survive_the_way_through_a_file() -> None:
    """What is written is what is read, in order of arrival whatever the order of the lines."""
    board = SeenBoard("pi", 8_000_000_000, ("llama3.2:3b",))
    head = Head(recorded_at="2026-01-01T00:00:00Z", boards=(board,), models={"m": 1})
    late, early = turn(1, 2.0, ("x", 10), ("y", 30)), turn(0, 1.0, ("x", 10), wait_s=0.5)

    trace = read([head.to_line(), late.to_line(), "", early.to_line()])

    assert trace == Trace(head, (early, late))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("nonsense", "line 2"),
        ("[]", "no JSON object"),
        ('{"kind": "request", "at_s": -1, "model": "m", "status": "x"}', "at_s"),
        ('{"kind": "request", "at_s": 1}', "model"),
        ('{"kind": "request", "at_s": 1, "model": "m", "status": "x", "prompt": "Hi"}', "known"),
    ],
)
def test_a_bad_line_is_named(line: str, text: str) -> None:
    """With its number and its trouble."""
    with pytest.raises(ValueError, match="line 2") as error:
        read([HEAD.to_line(), line])
    assert text in str(error.value)


def test_a_trace_needs_its_head() -> None:
    """A file without one is no trace."""
    with pytest.raises(ValueError, match="head"):
        read([turn(0, 1.0).to_line()])


def test_what_is_kept_tells_nothing() -> None:
    """No prompt, no name of a source, session or request, no hash of the installation."""
    meta = Meta(
        model="llama3.2:3b", source="camera", session="lobby", prefixes=(Prefix("digest00", 40),)
    )
    collector = Collector(1000, KEY)
    collector.met("r-1", 3500, meta.to_bytes(), b'{"messages": [{"content": "secret"}]}')

    line = collector.ended(
        "r-1", "COMPLETED", "pi", Facts(prompt_tokens=42, output_tokens=7, prompt_s=1.5), 3500,
        "llama3.2:3b", {"queue_ms": 250},
    )  # fmt: skip

    assert line is not None
    text = line.to_line()
    assert (line.at_s, line.input_tokens, line.output_tokens, line.wait_s) == (2.5, 42, 7, 0.25)
    assert [w for w in ("secret", "camera", "lobby", "digest00", "r-1") if w in text] == []
    assert re.fullmatch("[0-9a-f]{12}", line.source)
    assert line.source != line.session
    assert len(collector) == 0


def test_prompts_are_kept_when_asked_for() -> None:
    """And then the request is there as it was sent."""
    collector = Collector(0, KEY, with_prompts=True)
    collector.met("r", 1, Meta(model="m").to_bytes(), b'{"messages": []}')

    line = collector.ended("r", "COMPLETED", "", None, 1, "m", {})

    assert line is not None
    assert line.body == {"messages": []}


def test_requests_of_before_the_recording_are_left_out() -> None:
    """Their beginning is not known."""
    collector = Collector(5000, KEY)
    assert collector.ended("r", "COMPLETED", "", None, 4000, "m", {}) is None


def test_spoilt_records_cost_a_line_its_details_only() -> None:
    """Outsiders can write to records: what cannot be read is left out."""
    collector = Collector(0, KEY, with_prompts=True)
    collector.met("r", 1, b"\xff", b"[1")

    line = collector.ended("r", "FAILED", "", None, 1, "m", {"prompt_tokens": "many"})

    assert line is not None
    assert (line.model, line.status, line.body) == ("m", "failed", None)


def test_conversations_keep_their_prefixes() -> None:
    """A follow-up's prompt begins with the whole of the turn before, its answer included."""
    first = turn(0, 0.0, ("a", 50))
    second = turn(1, 30.0, ("a", 50), ("b", 80), ("c", 95))
    other = turn(2, 40.0, ("z", 50))

    one, two, three = replayable(Trace(HEAD, (first, second, other)), "t").workload.trace

    assert two.prompt_prefix[: len(one.whole)] == one.whole
    assert two.input_tokens == 95
    assert three.prompt_prefix[0] != one.prompt_prefix[0]


def test_what_cannot_run_again_is_counted() -> None:
    """Requests that never ran are left out; a strange model is replaced by one of its size."""
    head = Head(recorded_at="2026-01-01T00:00:00Z", models={"mine:9b": 4_700_000_000})
    ran, lost = turn(0, 0.0, model="mine:9b"), turn(1, 1.0, status="expired", output_tokens=0)

    made = replayable(Trace(head, (ran, lost)), "t")

    assert made.left_out == 1
    assert made.stand_ins == {"mine:9b": "qwen2.5:7b"}
    with pytest.raises(ValueError, match="none ran"):
        replayable(Trace(head, (lost,)), "t")


def test_boards_of_the_recording_are_found_again(tmp_path: Path) -> None:
    """By name, else by memory; or those of a fleet, or of a file."""
    boards = (SeenBoard("pi-8gb", 8 * 10**9), SeenBoard("attic", 16 * 1024**3))
    head = Head(recorded_at="2026-01-01T00:00:00Z", boards=boards)
    (tmp_path / "mine.json").write_text(EXAMPLE)

    recorded = choose("", head).boards
    assert [(spec.name, spec.max_loaded) for spec in recorded] == [("pi-8gb", 1), ("attic", 2)]
    assert len(choose("b", head).boards) == 6
    (own,) = choose(str(tmp_path / "mine.json"), head).boards
    assert (own.name, own.full_rise_c) == ("attic", 52.0)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"like": "pi-9000"}]', '[{"cooling": "x"}]'])
def test_a_fleet_file_that_is_none(tmp_path: Path, text: str) -> None:
    """Is named with its trouble."""
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"mine\.json"):
        choose(str(path), HEAD)


def test_policies_are_found_as_people_write_them() -> None:
    """Case, hyphens and short names do not matter; a slip gets a hint."""
    said = ("ours", "Round-Robin", "lc", "least-connections-gated", "CHWBL", "herd like")
    assert [policy_name(each) for each in said] == [
        "ours", "round robin", "least connections", "least connections, gated", "CHWBL by model",
        "herd-like",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="did you mean 'sticky'"):
        policy_name("stiky")


def test_a_replay_answers_everything_and_says_how() -> None:
    """Each policy answers all requests of the trace; the table has a line for each."""
    turns = [turn(n, 5.0 * n, (f"p{n}", 60)) for n in range(20)]
    load = replayable(Trace(HEAD, tuple(turns)), "t").workload
    boards = choose("a", HEAD)

    done = [replay(boards, load, name, (1, 2), Conditions()) for name in ("ours", "sticky")]

    assert {one.requests for each in done for one in each.results} == {20}
    assert done[0].seen.samples
    lines = report(done).splitlines()
    assert [line.split()[0] for line in lines] == ["policy", "ours", "sticky", "ours"]
    json.dumps([one.makespan_s for one in done[0].results])
