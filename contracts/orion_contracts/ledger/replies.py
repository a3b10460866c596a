"""What the ledger answers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class FailureKind(StrEnum):
    """Why a worker gives a request back; each but NONE has a counter and a limit."""

    NONE = "none"
    CRASH = "crash"
    """The engine or the worker died with this request."""
    LOSS = "loss"
    """The lease lapsed, with no evidence of a crash."""
    REFUSED = "refused"
    """The engine said "not now"."""


class Obstacle(StrEnum):
    """Why a dispatch did not happen."""

    NOT_PLANNER = "NOT_PLANNER"
    NODE_DEAD = "NODE_DEAD"
    DRAINING = "DRAINING"
    FULL = "FULL"
    GONE = "GONE"
    BARRED = "BARRED"
    """The board's stream takes no entry: somebody spoilt it (see contracts/README.md)."""


class Closed(StrEnum):
    """The answer to `finish`."""

    OK = "OK"
    ALREADY = "ALREADY"
    """The same finish arrived before (its reply was lost)."""
    DUP = "DUP"
    FENCED = "FENCED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a request may be lost before it is given up."""

    crashes: int = 3
    losses: int = 10
    refusals: int = 5


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Leases in ms. `assign_ms`: from dispatch to start. `run_ms`: between two emits."""

    assign_ms: int = 10_000
    run_ms: int = 15_000
    backstop_ms: int = 30 * 60 * 1000


class Admission(NamedTuple):
    """state: NEW (queued), ASSIGNED, REJECTED, or DUP with the record's state in `detail`."""

    state: str
    detail: str = ""
    fingerprint: str = ""
    attempt: int = 0

    @property
    def accepted(self) -> bool:
        """Whether this call made the record."""
        return self.state in ("NEW", "ASSIGNED")


class Dispatched(NamedTuple):
    """`obstacle` is None when the board was given the request."""

    obstacle: Obstacle | None
    token: str = ""
    attempt: int = 0


class Started(NamedTuple):
    """A worker's right to run: times in ms."""

    token: str
    body: bytes
    remaining_ms: int
    attempt: int
    queue_ms: int


class PlannerClaim(NamedTuple):
    """Whether we hold the planner lease, under which epoch, and who does otherwise."""

    held: bool
    epoch: str
    owner: str
    taken: bool = False


class Swept(NamedTuple):
    """`state`: OK, JUMP (nothing was closed) or NOT_PLANNER; ledger times in ms."""

    state: str
    now_ms: int = 0
    last_ms: int = 0
    moved: int = 0


class Attached(NamedTuple):
    """The record's state at the moment of attaching."""

    state: str
    attempt: int

    @property
    def known(self) -> bool:
        """Whether the ledger knows the request."""
        return self.state != "UNKNOWN"


class DirectEntry(NamedTuple):
    """Where a producer's entry lies: its stream, the group that read it, its id."""

    stream: str
    group: str
    entry: str
