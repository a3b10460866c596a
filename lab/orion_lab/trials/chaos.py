"""`make chaos`: kill workers, routers and the store under load, and judge every request's history.

    python -m orion_lab.trials.chaos                 the run, then the same with broken ledgers
    python -m orion_lab.trials.chaos --mutant NAME   one broken ledger: exits 1, for it must fail

Real processes on loopback: Valkey with `appendfsync always` on a disk, two routers, four workers,
four simulated boards. Everything is drawn from --seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orion_lab.mutants import MUTANTS
from orion_lab.trials.nemesis import Menu
from orion_lab.trials.outcome import print_outcome
from orion_lab.trials.storm import Storm, rage, shortened

BITES: Final = ("finish-without-state-check", "split-publish-and-ack")
"""The broken ledgers that the checker has to catch each time."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m orion_lab.trials.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--seed", type=int, default=20261122)
    add("--requests", type=int, default=3000)
    add("--kills", type=int, default=60)
    add("--pauses", type=int, default=10)
    add("--span-s", type=float, default=72.0, help="how long the harm goes on")
    add("--drain-s", type=float, default=60.0, help="longest wait for the last answer")
    add("--mutant", choices=sorted(MUTANTS), help="break the ledger like this; exits 1 when caught")
    add("--sound-only", action="store_true", help="leave the broken ledgers out")
    add("--keep", type=Path, help="folder for data and logs (default: a temporary one)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """0: the promise was kept, and every broken ledger was caught."""
    arguments = parser().parse_args(argv)
    began_s = time.monotonic()
    menu = Menu(kills=arguments.kills, pauses=arguments.pauses, span_s=arguments.span_s)
    storm = Storm(arguments.seed, arguments.requests, menu, drain_s=arguments.drain_s)
    if arguments.mutant:
        outcome = rage(shortened(storm, arguments.mutant), arguments.keep)
        print_outcome(outcome)
        return 1 if outcome.reasons else 0
    outcome = rage(storm, arguments.keep)
    print_outcome(outcome)
    results = [("sound ledger", "passed" if not outcome.reasons else "FAILED")]
    broken = () if arguments.sound_only else BITES
    results += [(f"broken ledger {name}", _caught(storm, name, arguments.keep)) for name in broken]
    for name, result in results:
        print(f"{name:<45} {result}")
    print(f"{'seconds in all':<45} {time.monotonic() - began_s:.0f}", flush=True)
    return 0 if all(result in ("passed", "caught") for _, result in results) else 1


def _caught(storm: Storm, mutant: str, keep: Path | None) -> str:
    """Whether the checker sees what this ledger breaks; harm is luck, so it has two tries."""
    for attempt in range(2):
        spoilt = replace(shortened(storm, mutant), seed=storm.seed + attempt)
        broken = rage(spoilt, keep and keep / str(attempt))
        print_outcome(broken)
        if broken.broken:
            return "caught"
    return "NOT CAUGHT"


if __name__ == "__main__":
    sys.exit(main())
