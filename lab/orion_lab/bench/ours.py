"""The product's own figures."""

from __future__ import annotations

from orion_lab.bench import measures
from orion_lab.bench.disk import sync_ms
from orion_lab.bench.figures import Figure, percentile
from orion_lab.bench.measures import Latency
from orion_lab.bench.plan import Plan
from orion_lab.bench.results import (
    LATENCY,
    MANY,
    MEMORY,
    RATE,
    WRITES,
    Results,
    latency_figures,
    mid,
    say,
)
from orion_lab.bench.rig import ROUTER, STORE, WORKERS, Fsync, Rig

ROUTER_MS, WORKER_MS, ROUTER_MIB, WORKER_MIB = 1.0, 2.5, 80.0, 75.0
_SYNC_NOTE = "`always` waits for three in turn: admission, start, first token"
P50_MS: dict[Fsync, tuple[float, float]] = {"always": (4.0, 3.0), "everysec": (3.0, 2.0)}


def latency(rig: Rig, plan: Plan, results: Results) -> None:
    """Added time to first token in both fsync modes, and what a request costs at that rate."""
    modes: tuple[Fsync, ...] = ("always", "everysec")
    rounds: dict[Fsync, list[Latency]] = {mode: [] for mode in modes}
    syncs_ms: list[float] = []
    for i in range(plan.rounds):
        syncs_ms += sync_ms(rig.data_dir)
        for mode in modes:  # in turn, so that both see the same machine
            say(f"latency {mode} {i + 1}/{plan.rounds}")
            rig.set_fsync(mode)
            rounds[mode].append(
                measures.latency(rig.through, rig.direct, plan.rate_per_s, plan.round_s, rig.pids)
            )
    rig.set_fsync("always")
    for mode in modes:
        target, stretch = P50_MS[mode]
        results.add(LATENCY, *latency_figures(f"ours, {mode}", rounds[mode], target, stretch))
    calm = rounds["always"]
    results.add(
        LATENCY,
        Figure("the disk's own fdatasync, p50", percentile(syncs_ms, 50), "ms", note=_SYNC_NOTE),
        Figure("the disk's own fdatasync, p99", percentile(syncs_ms, 99), "ms"),
        Figure("direct, p50", mid([r.direct_p50_ms for r in calm]), "ms"),
        Figure("direct, p99", mid([r.direct_p99_ms for r in calm]), "ms"),
        Figure("null: direct against direct, p99", mid([abs(r.null.p99_ms) for r in calm]), "ms"),
        Figure("generator late, p99", mid([r.late_p99_ms for r in calm]), "ms"),
    )
    at_rate = {name: mid([r.cpu_ms[name] for r in calm]) for name in calm[0].cpu_ms}
    name = f"ours, {plan.rate_per_s:.0f}/s open loop"
    results.add(
        RATE,
        Figure(f"{name}, router CPU", at_rate[ROUTER], "ms"),
        Figure(f"{name}, worker CPU", sum(at_rate[n] for n in WORKERS), "ms"),
        Figure(f"{name}, store CPU", at_rate[STORE], "ms"),
    )


def throughput(rig: Rig, plan: Plan, results: Results) -> None:
    """Closed loops: requests per second, and the CPU time of each process for one."""
    for concurrency in plan.concurrencies:
        say(f"{concurrency} at a time")
        seen = measures.throughput(rig.through, concurrency, plan.closed_s, rig.pids)
        floor = results.floor.get(concurrency)
        ratio = ""
        if floor is not None:
            times = seen.router_ms / floor.cpu_ms["floor"]
            ratio = f"{times:.1f} x the floor's {floor.cpu_ms['floor']:.2f}"
        name = f"ours, {concurrency} at a time"
        results.add(
            RATE,
            Figure(f"{name}", seen.per_s, "/s", note=f"first token p50 {seen.first_p50_ms:.1f} ms"),
            Figure(f"{name}, router CPU", seen.router_ms, "ms", ROUTER_MS, note=ratio),
            Figure(f"{name}, worker CPU", seen.worker_ms, "ms", WORKER_MS),
            Figure(f"{name}, store CPU", seen.store_ms, "ms"),
        )


def memory(rig: Rig, plan: Plan, results: Results, idle_mib: dict[str, float]) -> None:
    """Whether it stays flat."""
    say(f"{plan.memory_requests} requests")
    seen = measures.memory(rig, plan.memory_requests, plan.settle_s, idle_mib)
    for name, processes, target in (
        ("router", [ROUTER], ROUTER_MIB), ("worker, the largest", WORKERS, WORKER_MIB),
        ("store", [STORE], None),
    ):  # fmt: skip
        idle, half, full, settled = seen.most(processes)
        told = f"idle {idle:.1f}, {plan.memory_requests // 2} requests {half:.1f}, "
        told += f"{plan.memory_requests} requests {full:.1f} ({full - half:+.1f})"
        results.add(
            MEMORY,
            Figure(f"{name}, {plan.settle_s:.0f} s after load", settled, "MiB", target, note=told),
        )


def store(rig: Rig, plan: Plan, results: Results, idle: measures.Writes) -> None:
    """What the disk has to bear."""
    for concurrency in (1, MANY):
        say(f"writes, {concurrency} at a time")
        count = max(100, plan.memory_requests // 20)
        seen = measures.writes_per_request(rig, concurrency, count)
        name = f"a request, {concurrency} at a time"
        results.add(
            WRITES,
            Figure(f"AOF of {name}", seen.bytes, "bytes"),
            Figure(f"fsyncs of {name}", seen.syncs, "", note="always"),
        )
    scaled = f"measured over {plan.idle_s:.0f} s and scaled"
    results.add(
        WRITES,
        Figure("AOF of an idle hour", idle.bytes / 1024, "KiB", note=scaled),
        Figure("fsyncs of an idle hour", idle.syncs, "", note=f"always; {scaled}"),
    )
