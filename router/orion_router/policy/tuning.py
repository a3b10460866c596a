"""The policy's constants, each with what it is worth (docs/policy-study.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds. The defaults are those that the laboratory found best."""

    margin_s: float = 5.0
    """A board that must load first has to be better by so much."""
    waste_price: float = 0.5
    """What a second of loading, or of reading a lost prefix again, costs others who wait."""
    starvation_s: float = 60.0
    """A request that waited longer, and the time the queue takes to drain, is overtaken no more."""
    drain_factor: float = 1.0
    """How much of the queue's drain time is added to the starvation bound."""
    batch_ages_s: float = 300.0
    """A request of class batch that waited so long counts as interactive."""
    decode_weight: float = 1.0
    """Weight of the seconds spent writing the answer, against those before its first token."""
    patience: float = 0.0
    """A request lets those pass that came later by less than so many times its own work: who asks
    for a minute of a board's time can wait for a few answers of seconds."""
    batching: bool = True
    """Requests for a resident model go before those that need a load."""
    load_term: bool = True
    prefix_term: bool = True
    heat_term: bool = True
    fairness: bool = True


DEFAULT_TUNING = Tuning()
