"""What one model costs on one board as it stands, whatever is planned there (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import NamedTuple

from orion_router.fleet import Node, normal
from orion_router.policy.footing import beside
from orion_router.policy.speeds import Speed, speed
from orion_router.policy.tuning import Tuning


class Fare(NamedTuple):
    """Seconds, on a board as warm as it is."""

    pace: Speed
    tuning: Tuning
    """What it was worked out from, with the board."""
    prefill_s: float
    """Per token of the prompt."""
    decode_s: float
    """Per token of the answer."""
    load_s: float
    weighed_s: float
    """Per token of the answer, as it weighs against the others."""
    spare_s: float
    """What else the board is good for: see `Tuning.versatility`."""
    gone: tuple[tuple[str, float], ...]
    """Models that leave the board's memory when this one is loaded, and what loading each of them
    again would take."""

    def pushed_out_s(self, replicas: Mapping[str, int]) -> float:
        """Seconds of loading that models need which only this board has, and which would leave."""
        gone = self.gone
        if not gone:
            return 0.0
        if len(gone) == 1:
            model, load_s = gone[0]
            return load_s if replicas.get(model) == 1 else 0.0
        return fsum([load_s for model, load_s in self.gone if replicas.get(model) == 1])


def fare(
    node: Node, model: str, memory: frozenset[str], pace: Speed, slower: float, tuning: Tuning
) -> Fare:
    """`memory`: what the board has loaded, with what it was given; `slower`: by heat."""
    gone = memory - beside(node, memory, model) - {model} if memory else memory
    decode_s = pace.decode_s_per_token * slower
    return Fare(
        pace, tuning, pace.prefill_s_per_token * slower, decode_s,
        pace.load_s if tuning.load_term else 0.0, decode_s * tuning.decode_weight,
        tuning.versatility * heaviest_load_s(node),
        tuple([(each, disk_load_s(node, each)) for each in gone]),
    )  # fmt: skip


def disk_load_s(node: Node, model: str) -> float:
    """Seconds that a load from the board's disk takes, by the rule of thumb."""
    file = node.on_disk.get(model)
    size = file.size_bytes if file else 0
    return speed(size, node.said.storage_bytes_per_second).load_s


def heaviest_load_s(node: Node) -> float:
    """Seconds that the largest model of the board takes to load from its disk."""
    known: float | None = node.notes.get("heaviest_load_s")
    if known is None:
        largest = max(node.on_disk.values(), key=lambda file: file.size_bytes, default=None)
        known = disk_load_s(node, normal(largest.name) if largest else "")
        node.notes["heaviest_load_s"] = known
    return known
