"""How long and how much: the full run, and the quick one for CI."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Seconds, rates and counts of one run."""

    warm_s: float = 8.0
    rate_per_s: float = 50.0
    round_s: float = 8.0
    rounds: int = 5
    """Of each fsync mode, and of the floor."""
    concurrencies: tuple[int, ...] = (1, 16, 64)
    closed_s: float = 8.0
    peer_rate_per_s: float = 10.0
    peer_s: float = 20.0
    memory_requests: int = 10_000
    settle_s: float = 60.0
    idle_s: float = 60.0
    peers: bool = True
    data_dir: Path | None = None
    json: Path | None = None
    strict: bool = False


QUICK = Plan(
    warm_s=3.0,
    round_s=3.0,
    rounds=2,
    closed_s=2.5,
    peer_s=4.0,
    memory_requests=1_000,
    settle_s=3.0,
    idle_s=6.0,
)


def read_plan(argv: Sequence[str] | None = None) -> Plan:
    """The plan that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="What the product adds on top of the boards, beside a floor and LiteLLM.",
    )
    add = parser.add_argument
    add("--quick", "--short", action="store_true", help="about a minute and a half, for CI")
    add("--no-peers", action="store_true", help="without the floor and LiteLLM")
    add("--data-dir", type=Path, help="where the store writes; must lie on a disk")
    add("--json", type=Path, help="also write every figure to this file")
    add("--settle-s", type=float, help="wait so long after the load before memory is read")
    add("--memory-requests", type=int, help="how many requests the memory figure takes")
    add("--strict", action="store_true", help="exit with 1 if a target is missed")
    given = parser.parse_args(argv)
    plan = replace(
        QUICK if given.quick else Plan(),
        peers=not given.no_peers,
        data_dir=given.data_dir,
        json=given.json,
        strict=given.strict,
    )
    if given.settle_s is not None:
        plan = replace(plan, settle_s=given.settle_s)
    if given.memory_requests is not None:
        plan = replace(plan, memory_requests=given.memory_requests)
    return plan
