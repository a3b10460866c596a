"""What the policy takes and gives: queued requests, held ones, boards looked at, decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from orion_contracts.meta import Meta
from orion_router.held import Held

CLASS_SCORE = 1e13
"""A request's score in the ledger's queue is class * CLASS_SCORE + ms of its acceptance."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued request's planning facts; moments by this process's monotonic clock."""

    request_id: str
    meta: Meta
    score: float
    since_s: float
    """When this planner first saw it queued: from then on boards can tell whether they have its
    model."""
    crashes: int = 0
    failed_on: frozenset[str] = frozenset()
    refused_by: str = ""
    """The board whose engine said "not now" last."""
    accepted_s: float = math.inf
    """When it was accepted, where it has waited ever since and another planner had it before: a
    takeover does not begin its patience anew."""

    @property
    def asked_s(self) -> float:
        """Since when it waits."""
        return min(self.since_s, self.accepted_s)

    @property
    def place_s(self) -> float:
        """Its place among those of its class: when the ledger accepted it. What a board gave back
        has its old one."""
        return self.score % CLASS_SCORE / 1000.0


Load = Mapping[str, Mapping[str, Held]]
"""Per board: the requests it holds."""


class Terms(NamedTuple):
    """What a request would cost on a board, in seconds from now."""

    wait_s: float = 0.0
    load_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    price_s: float = 0.0
    """What else counts for or against the board, and is no time that the request waits: the margin
    before a load, board time and cached prompts that others would lose, what else the board is good
    for."""
    derate: float = 1.0
    """How much slower than cool the board will be; in prefill_s and decode_s already."""
    cached_tokens: int = 0
    """Of the prompt, what the board still has in its cache."""

    @property
    def completion_s(self) -> float:
        """Expected time until the answer is complete."""
        return self.wait_s + self.load_s + self.prefill_s + self.decode_s

    @property
    def first_token_s(self) -> float:
        """Expected time until its first token."""
        return self.wait_s + self.load_s + self.prefill_s

    @property
    def cost_s(self) -> float:
        """What boards are compared by."""
        return self.completion_s + self.price_s


class Candidate(NamedTuple):
    """One board looked at for one request: `reason` is empty when it could take the request."""

    node: str
    reason: str = ""
    resident: bool = False
    running: int = 0
    terms: Terms | None = None


Verdict = Literal["assign", "wait", "model_not_found", "no_node_eligible"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a request now, and why."""

    request_id: str
    verdict: Verdict
    node: str = ""
    """The board it goes to; for one that waits, the board it is planned on."""
    depth: int = 1
    residency: Literal["warm", "cold"] = "warm"
    why: str = ""
    candidates: tuple[Candidate, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """Where a waiting request stands in the plan."""

    position: int
    """0: next in the queue's order."""
    node: str
    """The board it is planned on; empty: no board may take it now."""
    start_s: float
    """Seconds until it begins there, expected; infinity where no board may take it."""
