"""The measurements: each takes a rig or a target and gives values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from orion_lab.bench.figures import Added, added, percentile
from orion_lab.bench.generator import generate
from orion_lab.bench.job import Job, JobResult, Lane, Target
from orion_lab.bench.rig import ROUTER, STORE, WORKERS, Rig


@dataclass(frozen=True, slots=True)
class Latency:
    """One round of an open loop; times in ms."""

    added: Added
    direct_p50_ms: float
    direct_p99_ms: float
    null: Added
    """Direct against direct (every second sample): what the machine's noise alone gives."""
    late_p99_ms: float
    """How late the generator itself was."""
    cpu_ms: dict[str, float]
    """Of each process for one request."""


def latency(
    through: Target, direct: Target, rate_per_s: float, seconds: float, pids: dict[str, int]
) -> Latency:
    """Added time to first token: through and direct in the same seconds, at the same rate."""
    lanes = [Lane(target=t, rate_per_s=rate_per_s) for t in (through, direct)]
    result = generate(Job(lanes=lanes, seconds=seconds, pids=pids))
    by, past = result.lanes[through.name], result.lanes[direct.name]
    answers = len(by.first_ms)
    return Latency(
        added(by.first_ms, past.first_ms),
        percentile(past.first_ms, 50),
        percentile(past.first_ms, 99),
        added(past.first_ms[::2], past.first_ms[1::2]),
        percentile(by.late_ms, 99),
        {name: ms / answers for name, ms in result.cpu_ms.items()},
    )


@dataclass(frozen=True, slots=True)
class Throughput:
    """One closed loop."""

    concurrency: int
    per_s: float
    first_p50_ms: float
    cpu_ms: dict[str, float]
    """Of each process for one request."""

    @property
    def router_ms(self) -> float:
        """The router's CPU time for one request."""
        return self.cpu_ms.get(ROUTER, float("nan"))

    @property
    def worker_ms(self) -> float:
        """A worker's CPU time for one request that it ran."""
        return sum(self.cpu_ms.get(name, 0.0) for name in WORKERS)

    @property
    def store_ms(self) -> float:
        """The store's CPU time for one request."""
        return self.cpu_ms.get(STORE, float("nan"))


def throughput(
    target: Target, concurrency: int, seconds: float, pids: dict[str, int], requests: int = 0
) -> Throughput:
    """Streamed requests per second, so many at a time, and what each costs."""
    lane = Lane(target=target, concurrency=concurrency, requests=requests)
    result: JobResult = generate(Job(lanes=[lane], seconds=seconds, pids=pids))
    seen = result.lanes[target.name]
    cpu = {name: result.cpu_per_request_ms(name) for name in pids}
    return Throughput(concurrency, seen.per_s, percentile(seen.first_ms, 50), cpu)


@dataclass(frozen=True, slots=True)
class Writes:
    """What the store wrote."""

    bytes: float
    syncs: float


def writes_per_request(rig: Rig, concurrency: int, requests: int) -> Writes:
    """With appendfsync always. The second or two of idle life at both ends is in it."""
    size, writes = rig.aof_bytes(), rig.aof_writes()
    throughput(rig.through, concurrency, 120.0, {}, requests)
    return Writes(
        (rig.aof_bytes() - size) / requests,
        (rig.aof_writes() - writes) / requests,
    )


def writes_per_idle_hour(rig: Rig, seconds: float) -> Writes:
    """Measured over some seconds and scaled."""
    size, writes = rig.aof_bytes(), rig.aof_writes()
    began_s = time.monotonic()
    time.sleep(seconds)
    scale = 3600 / (time.monotonic() - began_s)
    return Writes((rig.aof_bytes() - size) * scale, (rig.aof_writes() - writes) * scale)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MiB, by process: before, halfway, after, and when all was quiet again."""

    idle: dict[str, float]
    half: dict[str, float]
    full: dict[str, float]
    settled: dict[str, float]

    def most(self, names: Sequence[str]) -> tuple[float, float, float, float]:
        """The largest of these processes at each of the four moments."""
        moments = (self.idle, self.half, self.full, self.settled)
        first, second, third, fourth = (max(m[n] for n in names) for m in moments)
        return first, second, third, fourth


def memory(rig: Rig, requests: int, settle_s: float, idle: dict[str, float]) -> Memory:
    """Half of the requests, the other half, then some seconds of quiet."""
    moments: list[dict[str, float]] = []
    for _ in range(2):
        throughput(rig.through, 16, 600.0, {}, requests // 2)
        moments.append(rig.rss_mib())
    time.sleep(settle_s)
    half, full = moments
    return Memory(idle, half, full, rig.rss_mib())
