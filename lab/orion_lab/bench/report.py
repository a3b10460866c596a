"""The table, and the same as JSON."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from orion_lab.bench.figures import Figure
from orion_lab.bench.plan import Plan
from orion_lab.bench.results import Results
from orion_lab.bench.rig import BOARDS, SLOTS, Rig


def machine() -> str:
    """Its shape, without its name."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    cores = os.cpu_count()
    return f"{cores} {platform.machine()} cores, {pages * size / 2**30:.0f} GiB"


def load() -> str:
    """How busy the machine is with other things, before anything of ours runs."""
    return f"{os.getloadavg()[0]:.2f}"


def head(rig: Rig, plan: Plan, load_before: str) -> list[str]:
    """What was measured, where."""
    return [
        f"machine       {machine()}, shared by store, router, {len(BOARDS)} workers, "
        f"{len(BOARDS)} boards and load generator; load average before the run {load_before}",
        f"store         valkey {rig.store_version}, appendfsync always unless it says everysec; "
        f"data on {rig.file_system}",
        f"load          16 tokens a stream, {len(BOARDS)} boards without delay, {SLOTS} slots each;"
        f" open loop at {plan.rate_per_s:.0f}/s, {plan.rounds} rounds of {plan.round_s:.0f} s, "
        "direct in the same seconds at the same rate",
    ]


def table(results: Results) -> list[str]:
    """The figures with their targets."""
    lines: list[str] = []
    for section, figures in results.sections.items():
        lines += ["", section, "-" * len(section)]
        lines += [_line(figure) for figure in figures]
    lines += ["", *results.notes]
    missed = [f.name for f in results.missed]
    lines.append(f"missed: {'; '.join(missed)}" if missed else "every target is met")
    return lines


def _line(figure: Figure) -> str:
    target = ""
    if figure.target is not None:
        sign = ">=" if figure.at_least else "<="
        target = f"{sign} {figure.target:g}"
        if figure.stretch is not None:
            target += f" ({figure.stretch:g})"
    value = f"{_number(figure.value)} {figure.unit}"
    line = f"{figure.name:<44}{value:>14}   {target:<11}{figure.verdict:<8}{figure.note}"
    return line.rstrip()


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def document(results: Results, about: list[str]) -> dict[str, Any]:
    """Everything, for machines."""
    sections = {
        name: [{**asdict(f), "verdict": f.verdict} for f in figures]
        for name, figures in results.sections.items()
    }
    return {"about": about, "sections": sections, "notes": results.notes}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """To a file."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
