"""The load generator: a process of its own. A job as JSON on its standard input, results on its
standard output."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time

import uvloop

from orion_lab.bench import processes
from orion_lab.bench.job import Job, JobResult, Lane, LaneResult
from orion_lab.bench.stream import Stream, Timing, request_bytes

_HOST = "127.0.0.1"
_ANSWER_WITHIN_S = 60.0
_KEEP_PROBLEMS = 5


class Driver:
    """One lane."""

    def __init__(self, lane: Lane) -> None:
        target = lane.target
        self._lane = lane
        self._whole, self._piece = target.whole.encode(), (target.piece.encode(), target.pieces)
        self._request = request_bytes(_HOST, target.path, target.body.encode(), target.headers)
        self._turn = itertools.cycle(target.ports)
        self._idle: dict[int, list[Stream]] = {port: [] for port in target.ports}
        self._timings: list[Timing] = []
        self._late_ms: list[float] = []
        self._left = lane.requests or sys.maxsize

    async def run(self, begin_s: float, seconds: float) -> LaneResult:
        """Load until the time is up, then wait for what is still open."""
        lane = self._lane
        if lane.rate_per_s:
            await self._open_loop(begin_s, seconds)
        else:
            until_s = begin_s + seconds
            await asyncio.gather(*(self._worker(until_s) for _ in range(lane.concurrency)))
        took_s = max((t.last_s for t in self._timings), default=begin_s) - begin_s
        for streams in self._idle.values():
            for stream in streams:
                stream.close()
        good = [t for t in self._timings if not t.problem]
        return LaneResult(
            name=lane.target.name,
            first_ms=[(t.first_s - t.sent_s) * 1000 for t in good],
            whole_ms=[(t.last_s - t.sent_s) * 1000 for t in good],
            late_ms=self._late_ms,
            seconds=max(took_s, seconds) if lane.rate_per_s else took_s,
            problems=[t.problem for t in self._timings if t.problem][:_KEEP_PROBLEMS],
        )

    async def _open_loop(self, begin_s: float, seconds: float) -> None:
        rate = self._lane.rate_per_s
        async with asyncio.TaskGroup() as tasks:
            for i in range(int(rate * seconds)):
                due_s = begin_s + i / rate
                await asyncio.sleep(due_s - time.monotonic())
                self._late_ms.append((time.monotonic() - due_s) * 1000)
                tasks.create_task(self._one())

    async def _worker(self, until_s: float) -> None:
        while self._left > 0 and time.monotonic() < until_s:
            self._left -= 1
            await self._one()

    async def _one(self) -> None:
        port = next(self._turn)
        idle = self._idle[port]
        stream = idle.pop() if idle else None
        if stream is None or not stream.usable:
            loop = asyncio.get_running_loop()
            _, stream = await loop.create_connection(
                lambda: Stream(self._whole, self._piece), _HOST, port
            )
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            self._timings.append(await stream.ask(self._request))
        idle.append(stream)


async def run(job: Job) -> JobResult:
    """All lanes in the same seconds."""
    drivers = [Driver(lane) for lane in job.lanes]
    before = {name: processes.cpu_ms(pid) for name, pid in job.pids.items()}
    begin_s = time.monotonic()
    # Each lane begins a little later, so that lanes of one rate do not send at the same instant.
    results = await asyncio.gather(
        *(d.run(begin_s + 0.007 * i, job.seconds) for i, d in enumerate(drivers))
    )
    seconds = time.monotonic() - begin_s
    after = {name: processes.cpu_ms(pid) for name, pid in job.pids.items()}
    return JobResult(
        lanes={result.name: result for result in results},
        cpu_ms={name: after[name] - before[name] for name in before},
        seconds=seconds,
    )


def main() -> None:
    """Run the job on standard input."""
    job = Job.from_json(sys.stdin.buffer.read())
    gc.disable()  # a pause of ours would be taken for one of theirs
    sys.stdout.buffer.write(uvloop.run(run(job)).to_json())


if __name__ == "__main__":
    main()
