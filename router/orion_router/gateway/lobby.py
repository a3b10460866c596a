"""Connections that ask for nothing yet: how many, how long, with how many bytes.

An HTTP server that bounds nothing is stopped by one client that sends a header without an end, or
by many that send half of one. Who has asked completely is not in here: open answers are the
door's to bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Reason = Literal["late", "crowded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one connection, and all of them, may take before they have asked."""

    head_bytes: int = 64 * 1024
    """Request line and headers; also what may come between parts of a body, and trailers."""
    headers: int = 256
    head_s: float = 10.0
    """From the connection, or the first byte of its next request, to the end of the headers."""
    request_s: float = 45.0
    """To the end of the body; more than the body's own patience, whose answer is the better one."""
    pipelined: int = 64
    """Requests that one connection may send ahead of their answers."""
    arriving: int = 2048
    """Twice the backlog: as many can be accepted before the first of them is read."""
    arriving_bytes: int = 16 * 1024 * 1024
    """Unfinished heads, all together."""
    idle: int = 2048


class Guest(Protocol):
    """A connection."""

    in_body: bool

    def dismiss(self, reason: Reason) -> None:
        """Close it; it leaves the lobby by itself."""
        ...


class Lobby:
    """One per router. Where there are too many, the one that has waited longest goes: an honest
    client's head comes at once, so it is rarely the oldest."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._arriving: dict[Guest, float] = {}
        self._idle: dict[Guest, None] = {}
        self._heads: dict[Guest, int] = {}
        self._held = 0

    def __contains__(self, guest: Guest) -> bool:
        return guest in self._arriving

    @property
    def counts(self) -> tuple[int, int, int]:
        """Connections whose request is arriving, idle ones, bytes of unfinished heads."""
        return len(self._arriving), len(self._idle), self._held

    def arrive(self, guest: Guest, now_s: float) -> None:
        """Its next request begins."""
        self._idle.pop(guest, None)
        self._arriving[guest] = now_s
        if len(self._arriving) > self.bounds.arriving:
            self._dismiss(next(iter(self._arriving)), "crowded")

    def hold(self, guest: Guest, size: int) -> None:
        """`size` more bytes of its head are here, and it is not complete."""
        self._heads[guest] = self._heads.get(guest, 0) + size
        self._held += size
        while self._held > self.bounds.arriving_bytes:
            self._dismiss(next(iter(self._heads)), "crowded")

    def read(self, guest: Guest) -> None:
        """Its head is complete."""
        if guest in self._heads:
            self._held -= self._heads.pop(guest)

    def ask(self, guest: Guest) -> None:
        """Its request is complete."""
        self._arriving.pop(guest, None)

    def rest(self, guest: Guest) -> None:
        """It has its answer and is kept open for another request."""
        self._idle[guest] = None
        if len(self._idle) > self.bounds.idle:
            self._dismiss(next(iter(self._idle)), "crowded")

    def leave(self, guest: Guest) -> None:
        """It is closed, or about to be."""
        self.read(guest)
        self._arriving.pop(guest, None)
        self._idle.pop(guest, None)

    def sweep(self, now_s: float) -> None:
        """Close those whose time is up; called every second."""
        late: list[Guest] = []
        for guest, since_s in self._arriving.items():  # in the order of their beginnings
            if now_s - since_s < self.bounds.head_s:
                break
            if not guest.in_body or now_s - since_s >= self.bounds.request_s:
                late.append(guest)
        for guest in late:
            self._dismiss(guest, "late")

    def _dismiss(self, guest: Guest, reason: Reason) -> None:
        self.leave(guest)
        guest.dismiss(reason)
