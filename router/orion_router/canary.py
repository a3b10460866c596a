"""Boards that are slower with a model than they were (pure but for the log).

An engine's upgrade, a weak power supply or a fan that died shows in the rate of tokens before it
shows anywhere else. Heat is divided out where the rate is learned: a hot board is not slow here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from orion_router.fleet import Fleet
from orion_router.learning.rates import SLOW_SHARE, RateBook

log = logging.getLogger(__name__)

MOST_SHOWN = 256
"""Pairs of board and model, the slowest first: labels of a metric have to end somewhere."""
REMEDY = "was Ollama upgraded? else see to the power supply, the fan and what else runs there"


@dataclass(frozen=True, slots=True)
class Slow:
    """One model on one board."""

    share: float
    """Of its best sustained rate."""
    version_then: str
    version_now: str

    @property
    def why(self) -> str:
        """What may have done it, for people."""
        if self.version_then and self.version_now and self.version_then != self.version_now:
            return f"its Ollama went from {self.version_then} to {self.version_now} since"
        return REMEDY


Verdict = Mapping[str, Mapping[str, Slow]]
"""By board, then by model."""


class Canary:
    """The verdict of the router that plans; the others learn nothing, and say nothing."""

    def __init__(self) -> None:
        self.shares: Mapping[tuple[str, str], float] = {}
        self.slow: Verdict = {}

    def look(self, rates: RateBook, fleet: Fleet, plans: bool) -> None:
        """Judge anew; what is new is logged once."""
        known = rates.shares() if plans else {}
        ordered = sorted(known.items(), key=lambda entry: (entry[1], entry[0]))
        self.shares = {k: v for k, v in ordered if k[0] in fleet.nodes}
        self.shares = dict(list(self.shares.items())[:MOST_SHOWN])
        found: dict[str, dict[str, Slow]] = {}
        for (name, model), share in self.shares.items():
            if share >= SLOW_SHARE:
                break
            health = fleet.nodes[name].health
            now = health.engine.version if health else ""
            slow = Slow(share, rates.best_version(name, model), now)
            found.setdefault(name, {})[model] = slow
            if model not in self.slow.get(name, {}):
                log.warning("board %s writes %s at %.0f %% of its best rate: %s (engine then: %s, "
                            "now: %s)", name, model, 100 * share, slow.why,
                            slow.version_then or "unknown", now or "unknown")  # fmt: skip
        self.slow = found
