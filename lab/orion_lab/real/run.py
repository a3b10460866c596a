"""The same workload through a system of processes, and in the simulator."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from orion_lab.bench import processes
from orion_lab.hurry import Hurry
from orion_lab.real.load import Heard, ask_all
from orion_lab.real.prompts import Prompt, prompts
from orion_lab.real.systems import SYSTEMS
from orion_lab.sim.asks import Ask
from orion_lab.sim.conditions import Conditions
from orion_lab.sim.fleets import Fleet, fleet
from orion_lab.sim.ours import Ours
from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.policies import Policy
from orion_lab.sim.results import Latency
from orion_lab.sim.runs import arrivals, run
from orion_lab.sim.workloads import BURST, CHAT, Workload, frozen

FLEET: Final = "a"
CHAT_S: Final = 600.0
CONDITIONS: Final = Conditions()
"""Of the simulator's rows: the boards of the processes queue as Ollama does."""
MOVED_S: Final = 2.0
"""A request may come so much later to processes: what hangs on less is chance there."""
SIMULATED: Final[dict[str, tuple[str, Callable[[int], Policy], int]]] = {
    "ours": ("ours, mean of 16", lambda _: Ours(), 16),
    "nginx": ("least connections, mean of 16", PEERS["least connections"], 16),
    "litellm": ("random, mean of 16", PEERS["random"], 16),
    "herd": ("herd-like", PEERS["herd-like"], 1),
}
"""For each system the simulator's policy, and of how many draws the mean is: of the policy's own
chance; ours has none, and its requests come a little later, see MOVED_S."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table; board seconds."""

    system: str
    policy: str
    first_s: float
    first_p95_s: float
    makespan_s: float
    loads: float
    per_100: float
    loading_s: float
    max_c: float
    note: str = ""
    least_per_100: float = 0.0
    """Of the draws that a simulated line is the mean of."""
    most_per_100: float = 0.0


def workload(name: str, seed: int, size: int = 0) -> Workload:
    """`burst` (of `size`, else 60), or `chat`: what users of the fleet asked within ten minutes.

    Raises:
        ValueError: there is none of this name.
    """
    if name == "burst":
        return replace(BURST, burst=size or BURST.burst)
    if name != "chat":
        raise ValueError(f"no workload {name!r}: burst or chat")
    asks = arrivals(fleet(FLEET), CHAT, lambda _: Ours(), seed)
    return frozen("frozen chat", asks, CHAT, float(size) or CHAT_S)


def requests(work: Workload, seed: int) -> list[Prompt]:
    """Its requests in order of arrival."""
    asks = work.source(fleet(FLEET), seed).start()
    return prompts(sorted(asks, key=lambda ask: ask.arrived_s))


def as_sent(prompted: Sequence[Prompt]) -> tuple[Ask, ...]:
    """What the simulator is to be asked: a message cannot be shorter than its words."""
    extra: dict[str, dict[int, int]] = {}
    made: list[Ask] = []
    for prompt in prompted:
        ask, known = prompt.ask, extra.setdefault(prompt.ask.session, {})
        known[ask.prompt_prefix[-1][0]] = prompt.tokens
        prefix = tuple((mark, known.get(mark, tokens)) for mark, tokens in ask.prompt_prefix)
        made.append(replace(ask, input_tokens=prompt.tokens, prompt_prefix=prefix))
    return tuple(made)


def simulated(system: str, work: Workload, prompted: Sequence[Prompt], seed: int) -> Line:
    """The simulator's line for this system's policy."""
    policy, factory, draws = SIMULATED[system]
    sent = as_sent(prompted)
    traces = [_moved(sent, each) if system == "ours" else sent for each in range(draws)]
    results = [
        run(fleet(FLEET), replace(work, burst=0, trace=trace), factory, seed + draw,
            conditions=CONDITIONS)
        for draw, trace in enumerate(traces)
    ]  # fmt: skip

    def mean(figure: Callable[[Any], float]) -> float:
        return sum(map(figure, results)) / draws

    return Line(
        system,
        f"simulated {policy}",
        mean(lambda r: r.first_token.overall.mean),
        mean(lambda r: r.first_token.overall.p95),
        mean(lambda r: r.makespan_s),
        mean(lambda r: r.loads_per_100 * r.requests / 100),
        mean(lambda r: r.loads_per_100),
        mean(lambda r: r.loading_s),
        mean(lambda r: r.max_c),
        least_per_100=min(each.loads_per_100 for each in results),
        most_per_100=max(each.loads_per_100 for each in results),
    )


def _moved(asks: Sequence[Ask], draw: int) -> tuple[Ask, ...]:
    """Each a little later; the first draw leaves them where they are."""
    rng = Random(f"moved/{draw}")
    moved = [
        replace(ask, arrived_s=ask.arrived_s + rng.uniform(0.0, MOVED_S if draw else 0.0))
        for ask in asks
    ]
    return tuple(sorted(moved, key=lambda ask: ask.arrived_s))


def real(
    system: str, prompted: Sequence[Prompt], speed: float, keep: Path | None = None
) -> tuple[Line, list[Heard]]:
    """The line of one run on processes, fresh ones. Raises NoPeer if the system cannot run."""
    boards: Fleet = fleet(FLEET)
    directory = keep or Path(tempfile.mkdtemp(prefix="orion-real-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with SYSTEMS[system](boards, Hurry(speed), directory) as running:
            began_ms = {n: processes.cpu_ms(pid) for n, pid in running.programs.items()}
            heard = asyncio.run(ask_all(running.gateway, prompted, speed))
            took_s = max(each.done_s for each in heard)
            cores = {
                n: (processes.cpu_ms(pid) - began_ms[n]) / 1000 / took_s
                for n, pid in running.programs.items()
            }
            stats = running.stats()
        return _line(system, running.version, heard, stats, speed, cores), heard
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)


def _line(
    system: str,
    version: str,
    heard: Sequence[Heard],
    stats: Sequence[dict[str, Any]],
    speed: float,
    cores: dict[str, float],
) -> Line:
    firsts = Latency.of([(each.first_s - each.due_s) * speed for each in heard])
    loads = sum(int(each["cold_loads"]) for each in stats)
    problems = [each.problem for each in heard if each.problem]
    notes = [f"{len(problems)} failed: {problems[0][:300]}"] if problems else []
    started: Counter[str] = Counter()
    for each in stats:
        started.update({name: int(model["started"]) for name, model in each["models"].items()})
    asked = Counter(each.prompt.ask.model for each in heard)
    if more := {name: n - asked[name] for name, n in started.items() if n != asked[name]}:
        notes.append(f"the boards began {more} besides what was asked")
    late_s = max(each.sent_s - each.due_s for each in heard) * speed
    notes.append(f"{sum(cores.values()):.2f} cores, sent {late_s:.1f} s late at most")
    return Line(
        system,
        f"{system} {version}".strip(),
        firsts.mean,
        firsts.p95,
        max(each.done_s for each in heard) * speed,
        loads,
        100 * loads / len(heard),
        sum(float(each["loading_s"]) for each in stats),
        max(float(each["max_c"]) for each in stats),
        "; ".join(notes),
    )
