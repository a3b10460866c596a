"""`python -m orion_lab.study`: `make lab`, `make lab-full`, `make lab-heat`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.study import matrix
from orion_lab.study.labour import complete
from orion_lab.study.saved import Saved
from orion_lab.study.tables import plain
from orion_lab.study.targets import TARGETS
from orion_lab.study.verdicts import counts, judge, listing, lost

CACHE = Path(".cache/lab/cells.jsonl")


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m orion_lab.study", description=__doc__)
    parser.add_argument("part", choices=("quick", "full", "heat"))
    parser.add_argument("--seeds", type=int, help="paired seeds (default: 8; of full 16)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default: {CACHE}")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="default: docs")
    asked = parser.parse_args(arguments)
    if asked.part == "heat":
        from orion_lab.study.hot_day import show

        return show(asked.docs)
    saved, began_s = Saved(asked.cache), time.monotonic()
    seeds = (matrix.SEEDS if asked.part == "quick" else matrix.MANY_SEEDS)[: asked.seeds]
    peers, groups = tuple(PEERS), matrix.MAIN_GROUPS
    if asked.part == "quick":
        peers, groups = tuple(matrix.QUICK_POLICIES[1:]), matrix.QUICK_GROUPS
    try:
        if asked.part == "quick":
            complete(saved, matrix.quick(seeds), asked.processes)
            for group in groups:
                print(plain(saved, group, matrix.QUICK_POLICIES, seeds), end="\n\n")
        else:
            from orion_lab.study.page import write

            complete(saved, matrix.full(seeds), asked.processes)
            write(saved, seeds, asked.docs)
        judged = judge(saved, TARGETS, seeds)
        print(listing(judged))
        print(f"p95 against the best of the peers, per cell: {lost(saved, groups, peers, seeds)}")
        print(f"{counts(judged)}; {len(seeds)} seeds; took {time.monotonic() - began_s:.0f} s")
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    finally:
        saved.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
