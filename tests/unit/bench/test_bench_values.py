"""The benchmark's pure parts: percentiles, verdicts, file systems, what the kernel tells."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from orion_lab.bench.disk import NoDisk, choose, kind_of
from orion_lab.bench.figures import Added, Figure, added, middle, percentile
from orion_lab.bench.job import Job, JobResult, Lane, LaneResult, ollama, openai
from orion_lab.bench.plan import QUICK, Plan, read_plan
from orion_lab.bench.processes import parse_cpu_ms
from orion_lab.bench.results import RATE, Results
from orion_lab.bench.stream import Stream, request_bytes

MOUNTS = """/dev/vda / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/sda1 /data\\040disk xfs rw 0 0
tmpfs /data\\040disk/ram tmpfs rw 0 0
"""


def test_percentiles_are_values_that_were_seen() -> None:
    """Nearest rank; nothing is invented between two samples."""
    values = [float(v) for v in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (
        50,
        99,
        100,
    )
    assert percentile([7.0], 99) == 7.0
    assert math.isnan(percentile([], 50))


def test_added_time_is_a_difference_of_percentiles() -> None:
    """And the median of rounds forgives one bad round."""
    assert added([3.0, 4.0, 9.0], [1.0, 1.5, 2.0]) == Added(2.5, 7.0)
    assert middle([Added(2, 5), Added(90, 400), Added(3, 4)]) == Added(3, 5)


@pytest.mark.parametrize(
    ("value", "verdict"), [(2.9, "stretch"), (3.0, "stretch"), (4.0, "pass"), (4.1, "MISS")]
)
def test_verdicts(value: float, verdict: str) -> None:
    """Stretch, pass or miss; no target, no verdict; NaN is never a pass."""
    assert Figure("p50", value, "ms", 4.0, 3.0).verdict == verdict
    assert Figure("rate", value, "/s", 4.0, at_least=True).verdict == (
        "pass" if value >= 4 else "MISS"
    )
    assert Figure("p50", value, "ms").verdict == ""
    assert Figure("p50", math.nan, "ms", 4.0).verdict == "MISS"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/tmp", "ext4"),
        ("/dev/shm/x", "tmpfs"),
        ("/dev/shmoo", "ext4"),
        ("/data disk/x", "xfs"),
        ("/data disk/ram", "tmpfs"),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    """The innermost mount counts, by whole names, with spaces as the kernel writes them."""
    assert kind_of(Path(path), MOUNTS) == kind


def test_memory_is_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data directory on tmpfs is refused; of the usual places the first on a disk is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    kinds = {tmp_path: "tmpfs", disk: "ext4"}
    monkeypatch.setattr("orion_lab.bench.disk.file_system", kinds.__getitem__)
    with pytest.raises(NoDisk, match="tmpfs"):
        choose(tmp_path)
    with pytest.raises(NoDisk):
        choose(None, [tmp_path])
    assert choose(None, [tmp_path, disk]) == disk


def test_cpu_time_of_a_process_with_a_hostile_name() -> None:
    """The name may hold spaces and brackets; user and system time are added."""
    stat = "42 (a) b (c)) S " + " ".join(str(i) for i in range(4, 53))
    assert parse_cpu_ms(stat, ticks_per_s=100) == (14 + 15) * 10


def test_jobs_and_results_travel() -> None:
    """What goes in as JSON comes out the same."""
    lane = Lane(target=ollama("a", [1, 2], "m"), rate_per_s=5.0)
    job = Job(lanes=[lane, Lane(target=openai("b", [3], "m", "k"))], seconds=1.5, pids={"r": 1})
    assert Job.from_json(job.to_json()) == job
    seen = LaneResult(
        name="a", first_ms=[1.0, 2.0], whole_ms=[2.0, 3.0], late_ms=[], seconds=0.5, problems=[]
    )
    result = JobResult(lanes={"a": seen}, cpu_ms={"r": 10.0}, seconds=0.5)
    assert JobResult.from_json(result.to_json()) == result
    assert (result.cpu_per_request_ms("r"), seen.per_s) == (5.0, 4.0)


def test_the_command_line() -> None:
    """Quick and full, with the parts that can be set by themselves."""
    assert read_plan([]) == Plan()
    assert read_plan(["--quick"]) == QUICK
    assert read_plan(["--short", "--settle-s", "1"]).settle_s == 1.0
    assert read_plan(["--no-peers", "--memory-requests", "50"]).memory_requests == 50


def test_what_is_missing_is_told_and_may_be_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that cannot run is a note, and a failure where ORION_REQUIRE names it."""
    results = Results()
    results.lack("litellm", "not installed")
    assert (len(results.notes), results.missing_required) == (1, [])
    monkeypatch.setenv("ORION_REQUIRE", "nginx,litellm")
    results.lack("litellm", "not installed")
    assert results.missing_required == ["litellm"]
    results.add(RATE, Figure("cpu", 3.0, "ms", 1.0), Figure("rate", 3.0, "/s"))
    assert [f.name for f in results.missed] == ["cpu"]


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b'{"content":"a"}\n'
LAST = b'{"content":"","done":true}\n'


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def fed(*parts: bytes) -> Stream:
    """A stream that got these bytes, as for a question it asked."""
    stream = Stream(b'"done":true', (b'"content"', 2))
    for part in parts:
        stream.data_received(part)
    return stream


def test_the_first_byte_of_the_body_counts() -> None:
    """Not the head's: a head that comes alone is no first token."""
    assert fed(HEAD)._timing.first_s == 0.0  # pyright: ignore[reportPrivateUsage]
    assert fed(HEAD, chunk(LINE))._timing.first_s > 0.0  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ((HEAD + chunk(LINE), chunk(LAST) + b"0\r\n\r\n"), ""),
        ((HEAD, chunk(LINE) + chunk(LAST) + b"0\r\n", b"\r\n"), ""),
        ((HEAD + chunk(LINE) + b"0\r\n\r\n",), "not whole"),
        ((HEAD + chunk(LAST) + b"0\r\n\r\n",), "not whole"),
        ((b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",), "HTTP/1.1 503"),
    ],
)
def test_only_whole_answers_count(parts: tuple[bytes, ...], problem: str) -> None:
    """Status, end of the body, the last word and the number of pieces."""
    timing = fed(*parts)._timing  # pyright: ignore[reportPrivateUsage]
    assert timing.last_s > 0.0
    assert timing.problem.startswith(problem)
    assert bool(timing.problem) == bool(problem)


def test_requests_are_whole_http() -> None:
    """Length and further headers are there."""
    assert request_bytes("h", "/p", b"{}", {"A": "b"}) == (
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nA: b\r\n\r\n{}"
    )
