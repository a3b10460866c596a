"""One run: every measurement in turn."""

from __future__ import annotations

from orion_lab.bench import measures, others, ours
from orion_lab.bench.generator import warm_up
from orion_lab.bench.job import Lane
from orion_lab.bench.plan import Plan
from orion_lab.bench.results import MANY, Results, say
from orion_lab.bench.rig import Rig


def measure(rig: Rig, plan: Plan) -> Results:
    """Everything. Raises LoadFailed where requests fail."""
    results, idle_mib = Results(), rig.rss_mib()
    say(f"idle, {plan.idle_s:.0f} s")
    idle = measures.writes_per_idle_hour(rig, plan.idle_s)
    say("warm-up")
    warm_up(Lane(target=rig.through, concurrency=MANY), plan.warm_s / 2)
    warm_up(Lane(target=rig.through, concurrency=1), plan.warm_s / 2)
    if plan.peers:
        others.floor(rig, plan, results)
    ours.latency(rig, plan, results)
    ours.throughput(rig, plan, results)
    if plan.peers:
        others.litellm(rig, plan, results)
    ours.memory(rig, plan, results, idle_mib)
    ours.store(rig, plan, results, idle)
    return results
