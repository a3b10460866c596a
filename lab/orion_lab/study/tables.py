"""The study's tables, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orion_lab.sim.tables import table
from orion_lab.study.cells import Group
from orion_lab.study.figures import against, mean, of_seeds
from orion_lab.study.saved import Saved

Rows = list[list[str]]
COLUMNS: Final = (
    ("mean", ".1f", "TTFT"),
    ("p50", ".0f", "TTFT p50"),
    ("p95", ".0f", "TTFT p95"),
    ("p99", ".0f", "TTFT p99"),
    ("done", ".1f", "completion"),
    ("p50", ".0f", "completion p50"),
    ("p95", ".0f", "completion p95"),
    ("p99", ".0f", "completion p99"),
    ("makespan", ".0f", "makespan"),
    ("loading s", ".0f", "loading"),
    ("loads", ".1f", "loads per 100"),
    ("disk", ".1f", "disk loads per 100"),
    ("saved s", ".0f", "prefill saved"),
    (">80 °C", ".0f", "node-s above 80 °C"),
    ("throttled", ".0f", "throttled"),
    ("Jain", ".3f", "Jain"),
    ("wait", ".0f", "longest wait"),
    ("J/req", ".0f", "J per request"),
)


def rows(
    saved: Saved, group: Group, policies: Sequence[str], seeds: Sequence[int]
) -> tuple[list[str], Rows]:
    """Heads and a row per policy: means over the seeds. Classes have columns of their own where
    there are two."""
    columns = list(COLUMNS)
    if group.workload == "mixed":
        columns[4:4] = [("inter.", ".1f", "interactive TTFT"), ("p95", ".0f", "interactive p95")]
    lines = [
        [policy, *(format(mean(of_seeds(saved, group, policy, name, seeds)), form)
                   for _, form, name in columns)]
        for policy in policies
    ]  # fmt: skip
    return ["policy", *(head for head, _, _ in columns)], lines


def plain(saved: Saved, group: Group, policies: Sequence[str], seeds: Sequence[int]) -> str:
    """For a terminal."""
    return f"{group}\n{table(*rows(saved, group, policies, seeds))}"


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """For the page."""
    rule = ["---", *["--:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *lines))


def changes(
    saved: Saved, groups: Sequence[Group], base: str, others: Sequence[str], figure: str,
    seeds: Sequence[int],
) -> tuple[list[str], Rows]:  # fmt: skip
    """A row per other policy: its figure over that of `base`, per group."""
    lines = [
        [other.removeprefix("ours: "),
         *(f"{against(saved, group, other, base, figure, seeds).mean:.2f}" for group in groups)]
        for other in others
    ]  # fmt: skip
    return ["change", *(_short(group) for group in groups)], lines


def _short(group: Group) -> str:
    kept = f" {group.prompts_kept} kept" if group.prompts_kept > 1 else ""
    placed = " placed" if group.placed else ""
    return f"{group.workload} {group.fleet}{placed}{kept}"
