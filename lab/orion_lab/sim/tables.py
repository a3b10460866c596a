"""Text tables of results."""

from collections.abc import Sequence
from typing import Final

from orion_lab.sim.ratios import Figure, compared, over_seeds
from orion_lab.sim.results import Result

_COLUMNS: Final[tuple[tuple[str, str, Figure], ...]] = (
    ("ttft", ".1f", lambda each: each.first_token.overall.mean),
    ("p50", ".0f", lambda each: each.first_token.overall.p50),
    ("p95", ".0f", lambda each: each.first_token.overall.p95),
    ("inter.", ".1f", lambda each: each.first_token.interactive.mean),
    ("done", ".1f", lambda each: each.completion.overall.mean),
    ("makespan", ".0f", lambda each: each.makespan_s),
    ("loads", ".1f", lambda each: each.loads_per_100),
    ("disk", ".1f", lambda each: each.disk_loads_per_100),
    ("loading", ".0f", lambda each: each.loading_s),
    ("hot", ".0f", lambda each: each.hot_node_s),
    ("jain", ".3f", lambda each: each.jain),
    ("wait", ".0f", lambda each: each.longest_wait_s),
    ("kJ", ".0f", lambda each: each.joules / 1000),
    ("J/req", ".1f", lambda each: each.joules_per_request),
    ("J/tok", ".2f", lambda each: each.joules_per_token),
)
_RATIOS: Final[tuple[tuple[str, Figure], ...]] = (
    ("ttft", lambda each: each.first_token.overall.mean),
    ("p95", lambda each: each.first_token.overall.p95),
    ("inter.", lambda each: each.first_token.interactive.mean),
    ("makespan", lambda each: each.makespan_s),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first is aligned left, the others right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    )


def figures(policies: Sequence[Sequence[Result]]) -> str:
    """A line per policy: means over its seeds."""
    rows = [
        [each[0].policy, *(format(over_seeds(each, figure), form) for _, form, figure in _COLUMNS)]
        for each in policies
    ]
    return table(["policy", *(name for name, _, _ in _COLUMNS)], rows)


def ratios(ours: Sequence[Result], others: Sequence[Sequence[Result]]) -> str:
    """A line per other policy: ours over theirs, below 1 where ours is better."""
    rows = [
        [each[0].policy, *(str(compared(ours, each, figure)) for _, figure in _RATIOS)]
        for each in others
    ]
    return table([f"{ours[0].policy} vs", *(name for name, _ in _RATIOS)], rows)
