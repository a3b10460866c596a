"""`make lab-real`: the simulator's workloads through real processes, beside its own rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orion_lab.bench.peers import NoPeer
from orion_lab.real import run
from orion_lab.real.run import Line
from orion_lab.real.systems import SYSTEMS
from orion_lab.sim.tables import table

SPEED = 20.0
_HEAD = ("", "TTFT", "p95", "makespan", "loads", "per 100", "loading s", "max °C")


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; 1 if a request failed."""
    made = argparse.ArgumentParser(prog="python -m orion_lab.real", description=__doc__)
    add = made.add_argument
    add("--workload", action="append", choices=("burst", "chat"), help="default: both")
    add("--system", action="append", choices=tuple(SYSTEMS), help="default: all four")
    add("--speed", type=float, default=SPEED, help=f"board seconds per second ({SPEED:g})")
    add("--seed", type=int, default=0)
    add("--size", type=int, default=0, help="requests of the burst, seconds of the chat")
    add("--keep", type=Path, help="leave the processes' logs in this folder")
    asked = made.parse_args(argv)
    failed = False
    for name in asked.workload or ("chat", "burst"):
        work = run.workload(name, asked.seed, asked.size)
        prompts = run.requests(work, asked.seed)
        lines: list[Line] = []
        for system in asked.system or SYSTEMS:
            lines.append(run.simulated(system, work, prompts, asked.seed))
            keep = asked.keep and asked.keep / f"{name}-{system}"
            try:
                line, _ = run.real(system, prompts, asked.speed, keep)
            except NoPeer as error:
                print(f"{system}: cannot run here: {error}", file=sys.stderr)
                continue
            lines.append(line)
            failed = failed or "failed" in line.note
            print(f"{name}, {system}: {line.note}", file=sys.stderr, flush=True)
        title = f"{name}, {len(prompts)} requests, seed {asked.seed}, speed {asked.speed:g}"
        print(f"{title}\n{table(_HEAD, [_row(each) for each in lines])}\n", flush=True)
    return int(failed)


def _row(line: Line) -> list[str]:
    return [
        line.policy,
        f"{line.first_s:.1f}",
        f"{line.first_p95_s:.0f}",
        f"{line.makespan_s:.0f}",
        f"{line.loads:.1f}".removesuffix(".0"),
        f"{line.per_100:.1f}",
        f"{line.loading_s:.0f}",
        f"{line.max_c:.1f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
