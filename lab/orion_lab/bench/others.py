"""The figures of the others: the floor, and LiteLLM's proxy."""

from __future__ import annotations

from orion_lab.bench import measures, peers
from orion_lab.bench.figures import Figure
from orion_lab.bench.generator import warm_up
from orion_lab.bench.job import Lane, Target
from orion_lab.bench.measures import Latency
from orion_lab.bench.peers import NoPeer
from orion_lab.bench.plan import Plan
from orion_lab.bench.results import LATENCY, MANY, RATE, Results, latency_figures, say
from orion_lab.bench.rig import Rig


def floor(rig: Rig, plan: Plan, results: Results) -> None:
    """A proxy that only passes on."""
    try:
        with peers.floor(rig.board_ports, rig.data_dir.parent) as (port, pid):
            _floor(rig, plan, results, rig.target("floor", port), pid)
    except NoPeer as error:
        results.lack("floor", str(error))


def litellm(rig: Rig, plan: Plan, results: Results) -> None:
    """The peer that most people would take."""
    try:
        with peers.litellm(rig.board_ports, rig.data_dir.parent) as started:
            _litellm(rig, plan, results, *started)
    except NoPeer as error:
        results.lack("litellm", str(error))


def _floor(rig: Rig, plan: Plan, results: Results, target: Target, pid: int) -> None:
    pids = {"floor": pid}
    warm_up(Lane(target=target, concurrency=MANY), plan.warm_s / 4)
    rounds: list[Latency] = []
    for i in range(plan.rounds):
        say(f"floor latency {i + 1}/{plan.rounds}")
        rounds.append(measures.latency(target, rig.direct, plan.rate_per_s, plan.round_s, pids))
    results.add(LATENCY, *latency_figures("floor", rounds))
    for concurrency in plan.concurrencies:
        say(f"floor, {concurrency} at a time")
        seen = measures.throughput(target, concurrency, plan.closed_s, pids)
        results.floor[concurrency] = seen
        results.add(
            RATE,
            Figure(f"floor, {concurrency} at a time", seen.per_s, "/s"),
            Figure(f"floor, {concurrency} at a time, CPU", seen.cpu_ms["floor"], "ms"),
        )


def _litellm(
    rig: Rig, plan: Plan, results: Results, target: Target, pid: int, start_s: float
) -> None:
    pids = {"litellm": pid}
    name = f"LiteLLM {peers.version('litellm')}"
    warm_up(Lane(target=target, concurrency=1), plan.warm_s)
    say("LiteLLM")
    rate = plan.peer_rate_per_s
    their = measures.latency(target, rig.direct, rate, plan.peer_s, pids)
    ours = measures.latency(rig.through, rig.direct, rate, plan.peer_s, {})
    seen = measures.throughput(target, MANY, plan.closed_s, pids)
    results.add(LATENCY, *latency_figures(f"ours, always, at {rate:.0f}/s", [ours]))
    results.add(LATENCY, *latency_figures(f"{name}, at {rate:.0f}/s", [their]))
    results.add(
        RATE,
        Figure(f"{name}, {MANY} at a time", seen.per_s, "/s", note=f"started in {start_s:.1f} s"),
        Figure(f"{name}, {MANY} at a time, CPU", seen.cpu_ms["litellm"], "ms"),
    )
