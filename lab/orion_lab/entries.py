"""What a run leaves behind: what was asked, what clients heard, what observers read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Asked(NamedTuple):
    """One request as its client knows it. `reply`: the stream where the answer is awaited."""

    request_id: str
    reply: str
    acknowledged: bool
    streamed: bool = False
    channel: str = ""


class Entry(NamedTuple):
    """One entry of a reply stream. `text`: a chunk's deltas joined, a final's response."""

    stream: str
    entry_id: str
    request_id: str
    kind: str
    attempt: int
    seq: int = 0
    text: str = ""
    status: str = ""


class Heard(NamedTuple):
    """A completed answer as an HTTP client put it together; `text` is what it read."""

    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """Everything that clients and observers wrote down."""

    asked: Sequence[Asked]
    live: Sequence[Entry] = ()
    end: Sequence[Entry] = ()
    heard: Sequence[Heard] = ()


def in_order(entries: Sequence[Entry]) -> bool:
    """Whether one request's entries on one stream are as promised: attempts never fall, each
    counts its chunks 1, 2, 3 without a gap, and nothing follows the final."""
    attempt, seq, ended = 0, 0, False
    for entry in entries:
        if ended or entry.attempt < attempt:
            return False
        if entry.kind == "final":
            ended = True
            continue
        if entry.attempt > attempt:
            attempt, seq = entry.attempt, 0
        if entry.seq != seq + 1:
            return False
        seq = entry.seq
    return True
