"""What the planner has learned, as the policy reads it (values, no I/O)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orion_router.fleet import Node
from orion_router.policy.heat import Climate
from orion_router.policy.speeds import NOTHING, Learned, Speed, reported, speed

OUTPUT_TOKENS = 128.0
"""Expected length of an answer before any was seen."""

LENGTHS = ""
"""In the place of a board among `Beliefs.news`: how long answers are."""

Chain = Sequence[tuple[str, int]]
"""Prefixes of a prompt, shortest first: (hash, tokens up to there)."""

Running = tuple[Chain, int]
"""A prompt that is being read or answered, and its tokens."""


class Prompts(Protocol):
    """Which prompts the boards still have in their caches."""

    def kept(self, model: str, chain: Chain) -> Mapping[str, int]:
        """Per board, how many tokens of this prompt it need not read again."""
        ...

    def lasts(self, node: str, model: str, running: Sequence[Running]) -> Mapping[str, bool]:
        """Of each prompt that the board has, by its last hash, whether it is still there when it
        has read those that run; without an entry it is."""
        ...

    def at_risk(self, node: str, model: str, now_s: float, all_of_them: bool) -> float:
        """Tokens that the board is expected to be asked for again, and would lose to one more
        prompt; `all_of_them`: if the model left its memory."""
        ...


class Pages(Protocol):
    """Which model files the boards still have in their page caches."""

    def warm(self, node: Node, model: str) -> bool:
        """Whether a load of this model would not touch the disk."""
        ...


class NoPages:
    """Nothing is known: every load is from the disk."""

    def warm(self, node: Node, model: str) -> bool:
        """See `Pages`."""
        return False


class NoPrompts:
    """Nothing is known of any cache."""

    def kept(self, model: str, chain: Chain) -> Mapping[str, int]:
        """See `Prompts`."""
        return {}

    def lasts(self, node: str, model: str, running: Sequence[Running]) -> Mapping[str, bool]:
        """See `Prompts`."""
        return {}

    def at_risk(self, node: str, model: str, now_s: float, all_of_them: bool) -> float:
        """See `Prompts`."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Beliefs:
    """A snapshot; models by normalised name."""

    speeds: Mapping[tuple[str, str], Learned] = field(
        default_factory=dict[tuple[str, str], Learned]
    )
    """Learned per (node, model), before what the board reports itself."""
    outputs: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """Expected tokens of an answer per (model, priority); ("", "") for all others."""
    prompts: Prompts = field(default_factory=NoPrompts)
    usage_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds of work that each source had lately."""
    pages: Pages = field(default_factory=NoPages)
    climates: Mapping[str, Climate] = field(default_factory=dict[str, Climate])
    """Where each board's temperature goes."""
    news: Mapping[str, int] | None = None
    """Per board a number: as long as it is the same, so is what is known of its speeds and pages;
    and one for `outputs`. None: nobody counts, and figures are compared."""

    def speed(self, node: Node, model: str) -> Speed:
        """How fast the board is with the model."""
        learned = self.speeds.get((node.name, model), NOTHING)
        warm = model not in node.resident and self.pages.warm(node, model)
        memo = node.memo.get((model, warm))
        if memo is not None and memo[0] is learned:
            known: Speed = memo[1]
            return known
        file = node.on_disk.get(model)
        rates = node.health.rates if node.health else None
        found = speed(
            file.size_bytes if file else 0,
            node.said.storage_bytes_per_second,
            learned,
            reported(rates, model),
            warm=warm,
        )
        node.memo[model, warm] = (learned, found)
        return found

    def output_tokens(self, model: str, priority: str, limit: int) -> float:
        """Expected tokens of an answer, never more than the client's own limit."""
        known = self.outputs.get((model, priority)) or self.outputs.get(("", ""))
        expected = known or OUTPUT_TOKENS
        return min(expected, float(limit)) if limit > 0 else expected


NO_BELIEFS = Beliefs()
