"""The request ledger: a Redis function library (`lua/`) and its typed wrapper.

Inference may run more than once; its effect, the final answer, happens exactly once. See
docs/adr/0002-ledger.md for the protocol and docs/glossary.md for the words.
"""

from orion_contracts.ledger.blame import is_lasting
from orion_contracts.ledger.calls import Ledger
from orion_contracts.ledger.library import VERSION, ensure_library, library_source
from orion_contracts.ledger.replies import (
    Admission,
    Attached,
    Closed,
    DirectEntry,
    Dispatched,
    FailureKind,
    LeaseTimes,
    Limits,
    Obstacle,
    PlannerClaim,
    Started,
    Swept,
)

__all__ = [
    "VERSION",
    "Admission",
    "Attached",
    "Closed",
    "DirectEntry",
    "Dispatched",
    "FailureKind",
    "LeaseTimes",
    "Ledger",
    "Limits",
    "Obstacle",
    "PlannerClaim",
    "Started",
    "Swept",
    "ensure_library",
    "is_lasting",
    "library_source",
]
