"""One storm: a system from empty store to verdict, under load and harm that a seed decides."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orion_contracts import keys
from orion_contracts.ledger import library_source
from orion_lab.entries import History
from orion_lab.history import judge
from orion_lab.mutants import MUTANTS
from orion_lab.stack import Stack
from orion_lab.trials.asking import Question, questions
from orion_lab.trials.leftovers import evidence, leftovers
from orion_lab.trials.nemesis import Menu, inflict, plan
from orion_lab.trials.observe import read_all
from orion_lab.trials.outcome import Outcome
from orion_lab.trials.place import disk_of
from orion_lab.trials.pressure import Pressure
from orion_lab.trials.warm import warm

MODEL: Final = "smollm2:135m"
BOARDS: Final = ("pi-a", "pi-b", "pi-c", "pi-d")
SLOTS, TOKENS = 4, 16
RUN_LEASE_MS, ASSIGN_LEASE_MS = 3000, 2000
SETTLE_S: Final = 6.0
"""Lease and liveness: what would come twice has come by then."""
SAY_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Storm:
    """What is asked and what is done to the system. `mutant`: the ledger is broken like this, and
    the storm ends with the first broken promise."""

    seed: int
    requests: int
    menu: Menu
    token_ms: float = 12.0
    drain_s: float = 60.0
    mutant: str = ""

    @property
    def name(self) -> str:
        """For people."""
        return f"broken ledger {self.mutant}" if self.mutant else "sound ledger"


class _BrokenPromise(Exception):
    """A request was answered twice; a run on a broken ledger has shown what it had to."""


def rage(storm: Storm, keep: Path | None = None) -> Outcome:
    """Run the storm and judge it. `keep`: folder for data and logs, which stay there.

    Raises:
        TimeoutError: the system did not come up.
        ValueError: the data would lie in memory.
    """
    with tempfile.TemporaryDirectory(prefix="orion-chaos-") as temporary:
        base = (keep or Path(temporary)) / (storm.mutant or "sound")
        disk = disk_of(base)
        lease = ["--run-lease-ms", str(RUN_LEASE_MS)]
        stack = Stack(
            boards=[f"{name}:zero" for name in BOARDS],
            routers=2,
            directory=base,
            board_flags=["--slots", str(SLOTS)],
            worker_flags=["--slots", str(SLOTS), *lease],
            router_flags=["--assign-lease-ms", str(ASSIGN_LEASE_MS), *lease],
        )
        stack.store.start()
        if storm.mutant:  # the same VERSION: no process loads the sound library over it
            with stack.client() as client:
                client.function_load(MUTANTS[storm.mutant](library_source()), replace=True)
        with stack:
            return _rage(stack, storm, disk)


def _rage(stack: Stack, storm: Storm, disk: str) -> Outcome:
    warm(stack, MODEL)
    for board in stack.boards.values():
        board.set_fault(token_delay_ms=storm.token_ms)
    load = questions(storm.seed, storm.requests, MODEL, TOKENS)
    began_s = time.monotonic()
    rate = storm.requests / storm.menu.span_s
    with Pressure(stack.store.url, stack.urls, load, rate_per_s=rate) as pressure:
        done, ended, cut_short = _blow(stack, storm, pressure)
        if pressure.error is not None:
            raise pressure.error
        history = _history(stack, load, pressure, cut_short)
        with stack.client() as client:
            left = leftovers(client, [each.request_id for each in load])
            told = evidence(client, [each.request_id for each in load])
    planned = {"kills": storm.menu.kills, "pauses": storm.menu.pauses}
    return Outcome(
        judge(history),
        left={} if cut_short else left,
        harm=done,
        clients=pressure.notes.counts,
        told=told,
        wanted=Counter({} if cut_short else planned),
        seconds=time.monotonic() - began_s,
        seed=storm.seed,
        store=f"{stack.store.kind}, appendfsync always, {disk}",
        title=storm.name,
        ended=tuple(sorted(ended)),
    )


def _blow(stack: Stack, storm: Storm, pressure: Pressure) -> tuple[Counter[str], set[str], bool]:
    """Do the harm and wait for the last answer: what was done, which processes ended without being
    told to, and whether the storm was cut short."""
    workers = [f"worker-{name}" for name in BOARDS]
    victims = {"worker": workers, "router": ["router-0", "router-1"], "store": ["store"]}
    done, ended, began_s, said_s = Counter[str](), set[str](), time.monotonic(), 0.0

    def tick(done: Counter[str]) -> None:
        nonlocal said_s
        for program in stack.programs.values():
            if program.gone is not None and program.name not in ended:
                ended.add(program.name)
                print(f"{program.name} ended by itself:\n{program.tail(8)}", flush=True)
        if storm.mutant and pressure.observer.twice:
            raise _BrokenPromise
        if time.monotonic() - said_s > SAY_EVERY_S:
            said_s = time.monotonic()
            print(
                f"{said_s - began_s:6.1f} s  {storm.name}: asked {len(pressure.notes.asked)} of "
                f"{storm.requests}, open {pressure.open}, kills {done['kills']}, "
                f"pauses {done['pauses']}",
                flush=True,
            )

    try:
        inflict(stack, plan(storm.seed, victims, storm.menu), tick, done)
        deadline_s = time.monotonic() + storm.drain_s
        while time.monotonic() < deadline_s and pressure.error is None:
            tick(done)
            if pressure.drained.is_set() and pressure.open <= pressure.hopeless:
                break
            time.sleep(0.1)
        settled_s = time.monotonic() + SETTLE_S
        while time.monotonic() < settled_s:
            tick(done)
            time.sleep(0.1)
    except _BrokenPromise:
        stack.resume("store")
        if not stack.pid("store"):
            stack.restart("store")
        return done, ended, True
    return done, ended, False


def _history(stack: Stack, load: list[Question], pressure: Pressure, cut_short: bool) -> History:
    """Everything that was written down. Cut short: nobody waits for what is not answered yet."""
    seen = tuple(each for each in list(pressure.observer.seen) if each.kind != "alien")
    ids = [each.request_id for each in load]
    with stack.client() as client:
        streams = [*(each.reply for each in load), *map(keys.responses, ids)]
        end = tuple(each for each in read_all(client, streams) if each.kind != "alien")
    asked = list(pressure.notes.asked.values())
    if cut_short:  # the system is at work: only what the observer saw as it happened is whole
        end = seen
        answered = {each.request_id for each in seen if each.kind == "final"}
        asked = [each._replace(acknowledged=each.request_id in answered) for each in asked]
    return History(asked, seen, end, tuple(pressure.notes.heard))


def shortened(storm: Storm, mutant: str) -> Storm:
    """The same storm for a broken ledger: fewer and slower requests, so that every harm meets
    many, more of what such a ledger cannot stand (deaths of workers and store, a stalled store),
    and fewer dead planners."""
    weights = {"worker": 6, "router": 1, "store": 3}
    menu = replace(storm.menu, kills=20, pauses=6, span_s=36.0, weights=weights, stall_every=2)
    return replace(storm, requests=1000, menu=menu, token_ms=30.0, drain_s=10.0, mutant=mutant)
