"""Starts a load generator and waits for its results."""

from __future__ import annotations

import subprocess
import sys

from orion_lab.bench.job import Job, JobResult, Lane

_GRACE_S = 90.0


class LoadFailed(RuntimeError):
    """Requests failed: figures would mean nothing."""


def generate(job: Job) -> JobResult:
    """Run the job in a process of its own.

    Raises:
        LoadFailed: a request was not answered well; the message carries the first problem.
    """
    done = subprocess.run(
        [sys.executable, "-m", "orion_lab.bench.load"],
        input=job.to_json(),
        capture_output=True,
        timeout=job.seconds + _GRACE_S,
        check=False,
    )
    if done.returncode:
        raise LoadFailed(f"the load generator failed: {done.stderr.decode()[-2000:]}")
    result = JobResult.from_json(done.stdout)
    for lane in result.lanes.values():
        if lane.problems:
            raise LoadFailed(f"{lane.name}: {lane.problems[0]}")
    return result


def warm_up(lane: Lane, seconds: float) -> None:
    """Load that nobody measures. Raises LoadFailed."""
    generate(Job(lanes=[lane], seconds=seconds))
