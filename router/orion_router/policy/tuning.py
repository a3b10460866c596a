"""The policy's constants, each with what it is worth (docs/policy-study.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds. The defaults are those that the laboratory found best."""

    margin_s: float = 5.0
    """A board that must load first has to be better by so much."""
    waste_price: float = 0.8
    """What a second of loading, or of reading a lost prefix again, costs others who wait."""
    drain_factor: float = 0.7
    """How much of the queue's drain time is added to the configured starvation bound."""
    batch_ages_s: float = 300.0
    """A request of class batch that waited so long counts as interactive."""
    versatility: float = 0.15
    """Value of a second that a board loads its largest model faster: work that any board can do
    goes to the one that others need least."""
    decode_weight: float = 0.7
    """Weight of the seconds spent writing the answer, against those before its first token."""
    patience: float = 0.5
    """A request lets those pass that came later by less than so many times its own work: who asks
    for a minute of a board's time can wait for a few answers of seconds."""
    last_replica: float = 0.8
    """Price of pushing a model out of the only board that has it in memory, in times of what
    loading it from that board's disk takes."""
    last_replica_idle: float = 1.5
    """The same while there are free boards for all that waits: then there is time to load, and two
    models that take turns on one board beside an empty one would cost a load each."""
    lost_prompts: float = 1.0
    """Price of cached prompts that conversations are expected to come back to and that a decision
    would cost a board, in times of what reading them again takes."""
    batching: bool = True
    """Requests for a resident model go before those that need a load."""
    load_term: bool = True
    prefix_term: bool = True
    heat_term: bool = True
    fairness: bool = True


DEFAULT_TUNING = Tuning()
