"""What a client's deadline means for the plan (pure). It counts from acceptance.

A request is pressed when it can still be answered in time, and would not be if it waited until the
queue is empty. It is hopeless while no board would have read its prompt before the deadline: by
speeds that were measured, because the rule of thumb is far too long for a fast board.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from orion_router.fleet import Node
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.columns import Column
from orion_router.policy.speeds import NOTHING, reported
from orion_router.policy.values import Waiting


def left_s(item: Waiting, now_s: float) -> float:
    """Seconds until its deadline; infinity where its client set none."""
    deadline_ms = item.meta.deadline_ms
    return inf if deadline_ms is None else item.asked_s + deadline_ms / 1000 - now_s


def hopeless(
    item: Waiting, column: Column, beliefs: Beliefs, cached: Mapping[str, int], pin: str,
    now_s: float,
) -> bool:  # fmt: skip
    """Whether starting it would be in vain on every board, as they are planned. `cached`: per
    board, tokens of its prompt that need not be read."""
    left = left_s(item, now_s)
    boards = 0
    for i, place in column.places.items():
        lane = column.lanes[i]
        if pin and lane.name != pin:
            continue
        prefill, _, _ = column.speeds(i) or (0.0, 0.0, 0.0)
        reads, loads = _measured(lane.node, column.model, beliefs)
        fresh = max(0, item.meta.input_tokens - cached.get(lane.name, 0))
        if not reads or place.begin_s + place.load_s * loads + fresh * prefill <= left:
            return False
        boards += 1
    return boards > 0


def _measured(node: Node, model: str, beliefs: Beliefs) -> tuple[bool, bool]:
    """Whether the board's reading speed and its load time with the model were seen."""
    learned = beliefs.speeds.get((node.name, model), NOTHING)
    own = reported(node.health.rates if node.health else None, model)
    return (
        bool(learned.prefill_tokens_per_s or own.prefill_tokens_per_s),
        bool(learned.load_s or own.load_s),
    )
