"""The policy: which queued request goes where, and why. Pure: no clock, no I/O.

`assign` is asked at every event, `decide` for a newcomer, `outlook` for people who wait.
"""

from orion_router.held import Held
from orion_router.policy.assign import UNKNOWN_MODEL_S, assign, decide, outlook
from orion_router.policy.beliefs import NO_BELIEFS, Beliefs
from orion_router.policy.footing import fits
from orion_router.policy.pins import PIN_LOST_S
from orion_router.policy.pool import pool
from orion_router.policy.tuning import DEFAULT_TUNING, Tuning
from orion_router.policy.values import (
    Candidate,
    Decision,
    Load,
    Prospect,
    Terms,
    Verdict,
    Waiting,
)

__all__ = [
    "DEFAULT_TUNING", "NO_BELIEFS", "PIN_LOST_S", "UNKNOWN_MODEL_S", "Beliefs", "Candidate",
    "Decision", "Held", "Load", "Prospect", "Terms", "Tuning", "Verdict", "Waiting", "assign",
    "decide", "fits", "outlook", "pool",
]  # fmt: skip
