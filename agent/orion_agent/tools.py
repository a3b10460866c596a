"""What every attempt needs, and how an attempt ends (values)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orion_agent.energy import Meter, Spent
from orion_agent.engine import Done, Engine
from orion_agent.loader import Loader
from orion_agent.patience import Patience
from orion_agent.rates import Rates
from orion_agent.view import EngineView
from orion_contracts.errors import OrionError
from orion_contracts.ledger import Ledger


class AnswerTooLong(OrionError):
    """The answer passes what the store should hold."""

    code = "response_too_large"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `completed`, `failed`, `cancelled`, `released`, `fenced`, `late`."""

    word: str
    error: OrionError | None = None
    done: Done | None = None
    first_token_s: float | None = None
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt needs."""

    node: str
    ledger: Ledger
    patience: Patience
    engine: Engine
    loader: Loader
    view: EngineView
    rates: Rates
    meter: Meter
    stall_prefill_s: float
    stall_token_s: float
    coalesce_s: float
    before_release: Callable[[OrionError, str], Awaitable[None]]
    """Awaited before work goes back: the planner has to see why before it plans again."""
