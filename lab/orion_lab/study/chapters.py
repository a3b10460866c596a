"""The generated chapters of the study's page, each from the kept cells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

from orion_lab.sim.peers.catalogue import PEERS
from orion_lab.sim.ratios import ratio
from orion_lab.study import matrix
from orion_lab.study.cells import OURS, Cell, Group
from orion_lab.study.contenders import ABLATIONS, GATED, LC, MINDS, MISLED, NO_HEAT, STICKY, ablated
from orion_lab.study.figures import against, mean, of_seeds
from orion_lab.study.saved import Saved
from orion_lab.study.tables import changes, markdown, rows
from orion_lab.study.targets import TARGETS
from orion_lab.study.verdicts import Judged, counts, judge, leads
from orion_lab.study.work import BOUNDS

Seeds = Sequence[int]
Chapter = Callable[[Saved, Seeds], str]
POLICIES = (OURS, *PEERS)


def targets(saved: Saved, seeds: Seeds) -> str:
    """What was wanted, and what was measured."""
    judged = judge(saved, TARGETS, seeds)
    heads = ["target", "wanted", "stretch", "measured", "spread", "range", "verdict"]
    return f"{counts(judged)}.\n\n{markdown(heads, [_judged(each) for each in judged])}"


def _judged(each: Judged) -> list[str]:
    sign = "≥" if each.target.at_least else "≤"
    spread = each.measured
    verdict = "kept" if each.kept else "**missed**"
    return [
        each.target.text, f"{sign} {each.target.wanted:.2f}",
        "" if isnan(each.target.stretch) else f"{each.target.stretch:.2f}",
        f"{spread.mean:.3f}",
        "" if isnan(spread.spread) else f"x{spread.spread:.2f}",
        "" if isnan(spread.lowest) else f"{spread.lowest:.2f} to {spread.highest:.2f}",
        "stretch" if each.stretched and each.kept else verdict,
    ]  # fmt: skip


def promise(saved: Saved, seeds: Seeds) -> str:
    """p95 against the best peer of every group."""
    found = leads(saved, matrix.MAIN_GROUPS, tuple(PEERS), seeds)
    lost = [each for each in found if each.lost]
    lines = [
        [str(each.group), each.peer, f"{each.ratio.mean:.2f}", f"x{each.ratio.spread:.2f}",
         "**worse**" if each.lost else ""]
        for each in found
    ]  # fmt: skip
    heads = ["cell", "best peer", "our p95 / its p95", "spread", ""]
    return f"{len(lost)} of {len(found)} cells lost.\n\n{markdown(heads, lines)}"


def ablations(saved: Saved, seeds: Seeds) -> str:
    """Ours with one thing changed, over ours."""
    others = [ablated(change) for change in ABLATIONS]
    parts: list[str] = []
    for figure in ("TTFT", "TTFT p95"):
        table = changes(saved, matrix.ABLATION_GROUPS, OURS, others, figure, seeds)
        parts.append(f"{figure}, geometric mean of paired ratios, ours = 1:\n\n{markdown(*table)}")
    return "\n\n".join(parts)


def robustness(saved: Saved, seeds: Seeds) -> str:
    """Wrong beliefs, old reports, a lying thermometer: against the truth, and against sticky."""
    lines = [
        _robust(saved, seeds, change, group, ablated(change), group)
        for change in MISLED
        for group in matrix.MISLED_GROUPS
    ]
    for group in (*matrix.STALE_GROUPS, *matrix.LYING_GROUPS):
        truth = Group(group.workload, group.fleet)
        lines.append(_robust(saved, seeds, group.world, group, OURS, truth))
    heads = ["what is wrong", "cell", "TTFT / with the truth", "p95", "TTFT / sticky", "verdict"]
    return (
        f"{markdown(heads, lines)}\n\nClocks that are off by an hour change nothing, by design: "
        "a report's age is measured on the receiver's own monotonic clock, waiting times are the "
        "store's, and no decision compares times of two machines. The simulator has one clock, so "
        "there is nothing to run; `make faults` steps the clocks of real processes."
    )


def _robust(
    saved: Saved, seeds: Seeds, what: str, group: Group, policy: str, truth: Group
) -> list[str]:
    shares = [
        ratio(of_seeds(saved, group, policy, figure, seeds),
              of_seeds(saved, truth, OURS, figure, seeds)).mean
        for figure in ("TTFT", "TTFT p95")
    ]  # fmt: skip
    sticky = against(saved, group, policy, STICKY, "TTFT", seeds).mean
    fine = shares[0] <= 1.15 and sticky <= 1.0
    return [
        what, f"{group.workload} {group.fleet}", f"{shares[0]:.2f}", f"{shares[1]:.2f}",
        f"{sticky:.2f}", "kept" if fine else "**missed**",
    ]  # fmt: skip


def heat(saved: Saved, seeds: Seeds) -> str:
    """What the thermal rules cost and what they are worth."""
    policies = (OURS, ablated("no heat term"), NO_HEAT, LC, GATED, STICKY)
    names = ("TTFT", "TTFT p95", "node-s above 80 °C", "throttled")
    parts: list[str] = []
    for group in matrix.groups(("hot",), "ab"):
        lines = [
            [policy, *(f"{mean(of_seeds(saved, group, policy, name, seeds)):.1f}"
                       for name in names)]
            for policy in policies
        ]  # fmt: skip
        parts.append(f"{group}:\n\n{markdown(['policy', *names], lines)}")
    return "\n\n".join(parts)


def minds(saved: Saved, seeds: Seeds) -> str:
    """How often the plan of a waiting request names another board than the plan before."""
    lines: list[list[str]] = []
    for group in matrix.MINDS_GROUPS:
        extras = [saved[Cell(group, MINDS, seed)].extra for seed in seeds]
        lines.append(
            [f"{group.workload} {group.fleet}",
             *(f"{mean([extra[name] for extra in extras]):.0f}" for name in ("changes", "returns"))]
        )  # fmt: skip
    return markdown(["cell", "changes per 100 requests", "of them back to the board before"], lines)


def bounds(saved: Saved, seeds: Seeds) -> str:
    """Distance to what nothing can beat, and to what a search with foresight found."""
    lines: list[list[str]] = []
    for group in matrix.BOUND_GROUPS:
        extras = [saved[Cell(group, BOUNDS, seed)].extra for seed in seeds]
        shares = [
            ratio(of_seeds(saved, group, OURS, figure, seeds),
                  [extra[name] for extra in extras]).mean
            for figure, name in (("makespan", "makespan_s"), ("completion", "completion_s"),
                                 ("TTFT", "annealed_first_token_s"))
        ]  # fmt: skip
        burst = group.workload == "burst"
        lines.append(
            [f"{group.workload} {group.fleet}", f"{shares[0]:.2f}" if burst else "",
             f"{shares[1]:.2f}", f"{shares[2]:.2f}"]
        )  # fmt: skip
    heads = ["cell", "makespan / bound", "completion / bound", "TTFT / annealed"]
    return markdown(heads, lines)


def tables(saved: Saved, seeds: Seeds) -> str:
    """Every group."""
    parts: list[str] = []
    for group in matrix.MAIN_GROUPS:
        table = markdown(*rows(saved, group, POLICIES, seeds))
        parts.append(f"<details><summary>{group}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


CHAPTERS: tuple[tuple[str, Chapter], ...] = (
    ("Targets", targets),
    ("The 95th percentile against the best peer", promise),
    ("What each ingredient is worth", ablations),
    ("Heat", heat),
    ("Robustness", robustness),
    ("Changes of mind", minds),
    ("Distance to the bounds", bounds),
    ("All tables", tables),
)
