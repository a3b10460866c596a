"""What a worker is made of, built once at start (tests build it with fakes)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from redis.asyncio import Redis

from orion_agent.beat import Beat
from orion_agent.engine import Engine
from orion_agent.health import Identity
from orion_agent.keeper_depot import Depot
from orion_agent.keeper_usage import Usage
from orion_agent.metrics import Metrics
from orion_agent.patience import Patience
from orion_agent.rates import Rates
from orion_agent.reporter import Reporter
from orion_agent.settings import Settings
from orion_agent.sharing import Sharing
from orion_agent.slots import Slots
from orion_agent.underway import Underway
from orion_agent.view import EngineView
from orion_contracts.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`reads` is the connection of the blocking read; everything else goes over `store`."""

    settings: Settings
    who: Identity
    store: Redis
    reads: Redis
    ledger: Ledger
    patience: Patience
    engine: Engine
    view: EngineView
    slots: Slots
    rates: Rates
    reporter: Reporter
    beat: Beat
    metrics: Metrics
    usage: Usage = field(default_factory=Usage)
    underway: Underway = field(default_factory=Underway)
    depot: Callable[[], Depot] | None = None
    """None: the board's Ollama, when the keeper first needs it."""
    sharing: Sharing | None = None
