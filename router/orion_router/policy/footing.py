"""What fits into a board's memory, and what has to leave for it (pure).

A board is planned up to 90 % of its memory: above, the gate closes. What its models take is
measured where they are resident, else reckoned from the file.
"""

from __future__ import annotations

from collections.abc import Iterable

from orion_contracts.footprint import DEFAULT_CONTEXT, context_bytes
from orion_router.fleet import Node

USABLE_SHARE = 0.90
COMPUTE_BYTES = 200_000_000
"""Buffers of a loaded model, beside its file and its context."""


def footprint_bytes(node: Node, model: str, num_ctx: int | None = None) -> int:
    """Memory that the model takes on this board; 0: nothing is known."""
    measured = node.resident_bytes.get(model, 0)
    if measured:
        return measured
    file = node.on_disk.get(model)
    if file is None or not file.size_bytes:
        return 0
    context = context_bytes(file.size_bytes, num_ctx or DEFAULT_CONTEXT, node.slots)
    return file.size_bytes + context + COMPUTE_BYTES


def room_bytes(node: Node) -> float:
    """Memory for models, with none of them loaded; infinity where it cannot be read."""
    health = node.health
    if health is None or not health.memory_total_bytes or health.memory_available_bytes is None:
        return float("inf")
    total = health.memory_total_bytes
    others = total - health.memory_available_bytes - sum(node.resident_bytes.values())
    return total * USABLE_SHARE - max(0, others)


def fits(node: Node, model: str, busy: Iterable[str] = (), num_ctx: int | None = None) -> bool:
    """Whether the model can be loaded once every idle model left; `busy` ones stay."""
    if not busy and num_ctx is None:
        known = node.notes.get(model)
        if known is None:
            alone = model in node.resident or footprint_bytes(node, model) <= room_bytes(node)
            known = node.notes[model] = float(alone)
        return known > 0.0
    if model in node.resident:
        return True
    stay = sum(footprint_bytes(node, each) for each in busy if each != model)
    return footprint_bytes(node, model, num_ctx) + stay <= room_bytes(node)


def beside(node: Node, models: frozenset[str], newcomer: str) -> frozenset[str]:
    """Which of these models stay when the newcomer is loaded: the last used first, by memory and
    by the engine's number of places. A board that never showed two models at once has one."""
    known = node.stays.get((newcomer, models))
    if known is None:
        known = node.stays[newcomer, models] = _beside(node, models, newcomer)
    return known


def _beside(node: Node, models: frozenset[str], newcomer: str) -> frozenset[str]:
    seats = (node.seats or max(1, len(node.resident))) - 1
    if seats <= 0:
        return frozenset()
    left = room_bytes(node) - footprint_bytes(node, newcomer)
    kept: set[str] = set()
    for model in sorted(models, key=lambda each: (node.recency.get(each, -1), each)):
        need = footprint_bytes(node, model)
        if len(kept) < seats and need <= left and model != newcomer:
            kept.add(model)
            left -= need
    return frozenset(kept)
