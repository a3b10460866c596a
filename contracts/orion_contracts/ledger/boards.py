"""Boards coming, reporting and going."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orion_contracts.ledger.connection import Connection
from orion_contracts.stamp import iso_now


class BoardCalls(Connection):
    """What a worker says of itself."""

    async def enlist(self, node: str, incarnation: str) -> int:
        """Begin a worker's life; returns how many requests its previous incarnation held."""
        return int(await self._call("enlist", node, incarnation, iso_now(), *self._limits))

    async def report(
        self, node: str, ttl_s: int, changed: Mapping[str, bytes], gone: Iterable[str], whole: bool
    ) -> int:
        """Write a board's health hash, also to a full store; returns how many fields it has."""
        pairs = [part for pair in changed.items() for part in pair]
        return int(
            await self._call("report", node, ttl_s * 1000, int(whole), len(changed), *pairs, *gone)
        )

    async def leave(self, node: str, incarnation: str) -> int:
        """End a worker's life in peace; returns how many requests went back."""
        return int(await self._call("leave", node, incarnation, iso_now(), *self._limits))
