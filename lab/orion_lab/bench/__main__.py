"""`python -m orion_lab.bench`, which is `make bench`."""

from __future__ import annotations

import sys
import time

from orion_lab.bench import report
from orion_lab.bench.disk import NoDisk, choose
from orion_lab.bench.generator import LoadFailed
from orion_lab.bench.plan import read_plan
from orion_lab.bench.rig import running
from orion_lab.bench.run import measure


def main() -> int:
    """Measure and print. 1: requests failed, or (strict) a target was missed; 2: no disk."""
    plan, began_s, load_before = read_plan(), time.monotonic(), report.load()
    try:
        with running(choose(plan.data_dir)) as rig:
            about = report.head(rig, plan, load_before)
            print("\n".join(about), flush=True)
            results = measure(rig, plan)
    except NoDisk as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except LoadFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(report.table(results)))
    print(f"took {time.monotonic() - began_s:.0f} s")
    if plan.json is not None:
        report.write_json(plan.json, report.document(results, about))
    if results.missing_required:
        print(f"bench: required: {', '.join(results.missing_required)}", file=sys.stderr)
        return 1
    return 1 if plan.strict and results.missed else 0


if __name__ == "__main__":
    sys.exit(main())
