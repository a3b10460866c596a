"""The peers' behaviour checks on this system: same conditions, our figures beside theirs.

    python -m orion_lab.trials.behaviour             all five, then a table in markdown
    python -m orion_lab.trials.behaviour --check e   one of them (a, b, c, d, e)

Each check has a fresh store, router, three workers and three boards on loopback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from orion_lab.trials import check_a, check_b, check_c, check_d, check_e
from orion_lab.trials.peers import PEERS
from orion_lab.trials.row import Row

CHECKS: Final[dict[str, Callable[[], list[Row]]]] = {
    "a": check_a.rows,
    "b": check_b.rows,
    "c": check_c.rows,
    "d": check_d.rows,
    "e": check_e.rows,
}


def table(found: Sequence[Row]) -> str:
    """The rows in markdown, each with what the peers were measured to do."""
    lines = [
        "| check | orion-inference | wanted | kept | best peer | the others |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        best, others = PEERS[row.peers]
        kept = "yes" if row.kept else "**no**"
        lines.append(f"| {row.name} | {row.ours} | {row.wanted} | {kept} | {best} | {others} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """0: every wanted value was kept."""
    parser = argparse.ArgumentParser(
        prog="python -m orion_lab.trials.behaviour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", choices=sorted(CHECKS), action="append")
    arguments = parser.parse_args(argv)
    found: list[Row] = []
    for name in arguments.check or sorted(CHECKS):
        print(f"check ({name}) ...", flush=True)
        for row in CHECKS[name]():
            print(f"  {row.name}: {row.ours}{'' if row.kept else '   <- NOT KEPT'}", flush=True)
            found.append(row)
    print("\n" + table(found))
    return 0 if all(row.kept for row in found) else 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
