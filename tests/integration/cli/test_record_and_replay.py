"""A running system is recorded, and the trace runs again in the simulator."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx

from integration.cli.cli_harness import Up, wait_until
from orion_lab.traces.lines import read

SECRET = "the password is swordfish"


def _converse(up: Up, turns: int) -> None:
    messages: list[dict[str, Any]] = []
    with httpx.Client(base_url=up.url, trust_env=False, timeout=30) as http:
        for number in range(turns):
            messages.append({"role": "user", "content": f"{SECRET} {number} " + "word " * 60})
            asked = {"model": "smollm2:135m", "messages": messages, "stream": False,
                     "options": {"num_predict": 1500}}  # fmt: skip
            messages.append(http.post("/api/chat", json=asked).raise_for_status().json()["message"])


def _record(up: Up, trace: Path, *flags: str) -> None:
    said = trace.with_suffix(".log")
    with said.open("wb") as log:
        recording = subprocess.Popen(
            [sys.executable, "-m", "orion_cli.main", "record", str(trace), *flags],
            env=up.environment, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: "recording" in said.read_text(), "it records", 20.0)
        _converse(up, 3)
        wait_until(lambda: len(trace.read_text().splitlines()) >= 4, "all lines are there", 30.0)
        recording.send_signal(signal.SIGINT)
        assert recording.wait(40) == 0
    finally:
        recording.kill()
    assert f"{trace}: 3 requests" in said.read_text()


def test_a_recorded_trace_replays(canned_up: Up, tmp_path: Path) -> None:
    """Three turns of a conversation: no word of it is in the file, yet it is one conversation; its
    replay prints a line for each policy and draws a picture."""
    trace, plot = tmp_path / "t.jsonl", tmp_path / "t.svg"
    _record(canned_up, trace)

    text = trace.read_text()
    assert "swordfish" not in text
    with trace.open() as lines:
        requests = read(lines).requests
    assert [len(each.prefixes) for each in requests] == [1, 3, 5]
    assert requests[2].prefixes[:3] == requests[1].prefixes
    said = canned_up.orion(
        "replay", str(trace), "--policy", "ours", "--policy", "sticky", "--plot", str(plot)
    )
    assert said.returncode == 0, said.stderr
    assert "3 requests" in said.stdout
    assert "pi-8gb" in said.stdout
    assert [line.split()[0] for line in said.stdout.splitlines()[2:4]] == ["ours", "sticky"]
    ElementTree.fromstring(plot.read_text())


def test_prompts_are_recorded_when_asked_for(canned_up: Up, tmp_path: Path) -> None:
    """Only then."""
    trace = tmp_path / "t.jsonl"
    _record(canned_up, trace, "--with-prompts")

    bodies = [json.loads(line).get("body") for line in trace.read_text().splitlines()[1:]]
    assert all(SECRET in body["messages"][0]["content"] for body in bodies)


def test_what_is_no_trace_is_said_in_a_sentence(canned_up: Up, tmp_path: Path) -> None:
    """With the line, or with the policies that there are."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text("hello\n")
    said = canned_up.orion("replay", str(bad))
    assert said.returncode == 2
    assert "line 1" in said.stderr
    missing = canned_up.orion("replay", str(tmp_path / "nowhere.jsonl"))
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr
