"""`make chaos`: kill workers, routers and the store under load, and judge every request's history.

    python -m orion_lab.trials.chaos                 the run, then the same with broken ledgers
    python -m orion_lab.trials.chaos --mutant NAME   one broken ledger: exits 1, for it must fail

Real processes on loopback: Valkey with `appendfsync always` on a disk, two routers, four workers,
four simulated boards. Everything is drawn from --seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orion_contracts import keys
from orion_contracts.ledger import library_source
from orion_lab.entries import History
from orion_lab.history import judge
from orion_lab.mutants import MUTANTS, mutate
from orion_lab.stack import Stack
from orion_lab.trials.asking import questions
from orion_lab.trials.leftovers import evidence, leftovers
from orion_lab.trials.nemesis import Menu, inflict, plan
from orion_lab.trials.observe import read_all
from orion_lab.trials.outcome import Outcome, print_outcome
from orion_lab.trials.place import disk_of
from orion_lab.trials.pressure import Pressure

BITES: Final = ("finish-without-state-check", "split-publish-and-ack")
"""The broken ledgers that the checker has to catch each time."""
WORKERS: Final = ("pi-a", "pi-b", "pi-c", "pi-d")
SLOTS, TOKENS, TOKEN_MS = 4, 16, 12
RUN_LEASE_MS, ASSIGN_LEASE_MS = 3000, 2000
SETTLE_S: Final = 6.0
"""Lease and liveness: what would come twice has come by then."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m orion_lab.trials.chaos", description=__doc__)
    add = made.add_argument
    add("--seed", type=int, default=20261122)
    add("--requests", type=int, default=3000)
    add("--kills", type=int, default=60)
    add("--pauses", type=int, default=10)
    add("--span-s", type=float, default=80.0, help="how long the harm goes on")
    add("--drain-s", type=float, default=60.0, help="longest wait for the last answer")
    add("--mutant", choices=sorted(MUTANTS), help="break the ledger like this; exits 1 when caught")
    add("--only", action="store_true", help="the run alone, without the broken ledgers")
    add("--keep", type=Path, help="folder for data and logs (default: a temporary one)")
    return made


def run(arguments: argparse.Namespace, mutant: str | None) -> Outcome:
    """One run, from empty store to verdict.

    Raises:
        TimeoutError: the system did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="orion-chaos-") as folder:
        base = arguments.keep / (mutant or "sound") if arguments.keep else Path(folder)
        leases = ["--run-lease-ms", str(RUN_LEASE_MS)]
        stack = Stack(
            boards=[f"{name}:zero" for name in WORKERS],
            routers=2,
            directory=base,
            board_flags=["--slots", str(SLOTS)],
            worker_flags=["--slots", str(SLOTS), *leases],
            router_flags=["--assign-lease-ms", str(ASSIGN_LEASE_MS), *leases],
        )
        disk = disk_of(base)
        stack.store.start()
        if mutant:
            with stack.client() as client:
                client.function_load(mutate(library_source(), mutant), replace=True)
        with stack:
            return _run(stack, arguments, mutant, disk)


def _run(stack: Stack, arguments: argparse.Namespace, mutant: str | None, disk: str) -> Outcome:
    for board in stack.boards.values():
        board.set_fault(token_delay_ms=TOKEN_MS)
    menu = Menu(kills=arguments.kills, pauses=arguments.pauses, span_s=arguments.span_s)
    workers = [f"worker-{name}" for name in WORKERS]
    victims = {"worker": workers, "router": ["router-0", "router-1"], "store": ["store"]}
    harms = plan(arguments.seed, victims, menu)
    load = questions(arguments.seed, arguments.requests, "smollm2:135m", TOKENS)
    began_s = time.monotonic()
    rate = arguments.requests / arguments.span_s
    with Pressure(stack.store.url, stack.urls, load, rate_per_s=rate) as pressure:
        progress = _Progress(pressure, mutant)
        done = inflict(stack, harms, progress.tick)
        _drain(pressure, progress, done, arguments.drain_s)
        time.sleep(SETTLE_S)
        if pressure.error is not None:
            raise pressure.error
        ids = [each.request_id for each in load]
        with stack.client() as client:
            streams = [*(each.reply for each in load), *map(keys.responses, ids)]
            notes = pressure.notes
            history = History(
                tuple(notes.asked.values()),
                tuple(e for e in pressure.observer.seen if e.kind != "alien"),
                tuple(e for e in read_all(client, streams) if e.kind != "alien"),
                tuple(notes.heard),
            )
            left = leftovers(client, ids)
            told = evidence(client, ids)
    return Outcome(
        judge(history),
        left=left,
        harm=done,
        clients=notes.counts,
        told=told,
        wanted=Counter({"kills": arguments.kills, "pauses": arguments.pauses}),
        seconds=time.monotonic() - began_s,
        seed=arguments.seed,
        store=f"{stack.store.kind}, appendfsync always, {disk}",
        mutant=mutant or "",
    )


def _drain(pressure: Pressure, progress: _Progress, done: Counter[str], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while pressure.error is None and time.monotonic() < deadline:
        progress.tick(0.0, done)
        if pressure.drained.is_set() and pressure.open <= pressure.hopeless:
            return
        time.sleep(0.1)


class _Progress:
    """One line every few seconds."""

    def __init__(self, pressure: Pressure, mutant: str | None) -> None:
        self._pressure = pressure
        self._began_s = time.monotonic()
        self._said_s = 0.0
        self._name = mutant or "sound ledger"

    def tick(self, _: float, done: Counter[str]) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s < 5.0:
            return
        self._said_s = now_s
        asked, open_ = len(self._pressure.notes.asked), self._pressure.open
        print(
            f"{now_s - self._began_s:6.1f} s  {self._name}: asked {asked}/"
            f"{len(self._pressure.questions)}, open {open_}, "
            f"kills {done['kills']}, pauses {done['pauses']}",
            flush=True,
        )


def short(arguments: argparse.Namespace) -> argparse.Namespace:
    """The same trial, short: enough kills and pauses for a broken ledger to show."""
    changed = argparse.Namespace(**vars(arguments))
    changed.requests, changed.kills, changed.pauses = 500, 6, 6
    changed.span_s, changed.drain_s = 15.0, 12.0
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """0: the promise was kept, and every broken ledger was caught."""
    arguments = parser().parse_args(argv)
    if arguments.mutant:
        outcome = run(short(arguments), arguments.mutant)
        print_outcome(outcome)
        return 1 if outcome.reasons else 0
    outcome = run(arguments, None)
    print_outcome(outcome)
    failed = bool(outcome.reasons)
    for name in () if arguments.only else BITES:
        broken = run(short(arguments), name)
        print_outcome(broken)
        caught = bool(broken.verdict.reasons)
        print(f"broken ledger {name}: {'caught' if caught else 'NOT CAUGHT'}", flush=True)
        failed = failed or not caught
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
