"""What one model costs on one board as it stands, whatever is planned there (pure)."""

from __future__ import annotations

from typing import NamedTuple

from orion_router.fleet import Node, normal
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.footing import beside
from orion_router.policy.speeds import Speed, speed
from orion_router.policy.tuning import Tuning


class Gone(NamedTuple):
    """A model that leaves a board's memory, and what that costs: seconds."""

    model: str
    load_s: float
    """Of loading it again, from the disk."""
    prefill_s: float
    """Per token of reading again what it had of prompts."""


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
    gone: tuple[Gone, ...]
    """Models that leave the board's memory when this one is loaded."""


def fare(
    node: Node, model: str, memory: frozenset[str], pace: Speed, slower: float, tuning: Tuning,
    beliefs: Beliefs,
) -> Fare:  # fmt: skip
    """`memory`: what the board has loaded, with what it was given; `slower`: by heat."""
    gone = memory - beside(node, memory, model) - {model} if memory else memory
    decode_s = pace.decode_s_per_token * slower
    return Fare(
        pace, tuning, pace.prefill_s_per_token * slower, decode_s,
        pace.load_s if tuning.load_term else 0.0, decode_s * tuning.decode_weight,
        tuning.versatility * heaviest_load_s(node),
        tuple([
            Gone(each, disk_load_s(node, each),
                 beliefs.speed(node, each).prefill_s_per_token * slower)
            for each in gone
        ]),
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
