"""From where a board fetches a model: another board, the registry, or later (pure).

Decided by every board for itself from what all of them see: the first board of the placement that
lives and has not failed fetches from the registry, the others wait for it and copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Peer:
    """Another board that lives. Models by canonical name, with their digests."""

    name: str
    url: str = ""
    """Where it gives its models; empty: nowhere."""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    running: int = 0
    failed: frozenset[str] = frozenset()
    """Models that it could not fetch."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Take it from this board."""

    peer: Peer
    digest: str


@dataclass(frozen=True, slots=True)
class Wait:
    """This board fetches it."""

    leader: str


Source = Copy | Wait | None
"""None: the registry."""


def source(
    model: str,
    me: str,
    placement: Sequence[str],
    peers: Mapping[str, Peer],
    avoid: Collection[str] = (),
) -> Source:
    """Where `me` gets the model. `avoid`: boards from which a copy has just failed."""
    holders = [p for p in peers.values() if p.url and model in p.models and p.name not in avoid]
    if holders:
        best = min(holders, key=lambda p: (p.running, _spread(me, p.name), p.name))
        return Copy(best, best.models[model])
    for name in placement:
        if name == me:
            return None
        peer = peers.get(name)
        if peer is not None and peer.url and model not in peer.failed and name not in avoid:
            return Wait(name)
    return None


def _spread(me: str, other: str) -> int:
    """So that many boards do not all ask the same one."""
    return hashlib.blake2b(f"{me} {other}".encode(), digest_size=2).digest()[0]
