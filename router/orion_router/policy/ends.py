"""When a running request is expected to leave its slot (pure).

Worked out as moments, so that only the clock moves between two looks at its board, and kept with
the board's snapshot. What it was made of is compared whenever it is asked for: another attempt, a
rate or a usual length of answers that was learned meanwhile makes it anew.
"""

from __future__ import annotations

from typing import NamedTuple

from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.speeds import Speed

RESIDUAL_SHARE = 0.3
"""An answer that is longer than expected goes on for this share of the expectation."""
FORGOTTEN_BEYOND = 256


class End(NamedTuple):
    """Moments by the planner's clock, and what they were worked out from."""

    held: Held
    pace: Speed
    slower: float
    expected: float
    """Tokens of its answer."""
    from_s: float
    """The moment that it was reckoned from; nothing is made of a clock before it."""
    first_s: float
    """The moment of its first token."""
    expected_at_s: float
    residual_s: float
    """So long it still takes when the expected moment has come."""
    limit_at_s: float
    """When the client's own limit is reached; infinity without one."""
    token_s: float

    def left_s(self, now_s: float) -> float:
        """Seconds that it will still hold its slot."""
        _, _, _, _, from_s, _, expected_at_s, residual_s, limit_at_s, token_s = self
        if now_s < from_s:
            now_s = from_s
        left_s = expected_at_s - now_s
        if left_s < residual_s:
            left_s = residual_s
        most_s = limit_at_s - now_s
        if most_s < left_s:
            left_s = most_s if most_s > token_s else token_s
        return left_s

    def of(self, expected: float) -> End:
        """The same, with so many tokens expected of its answer."""
        held, pace, slower, known, from_s, first_s, _, _, limit_at_s, token_s = self
        if expected == known:
            return self
        work_s = expected * token_s
        return End(
            held, pace, slower, expected, from_s, first_s, first_s + work_s,
            RESIDUAL_SHARE * work_s, limit_at_s, token_s,
        )  # fmt: skip


def ends(
    node: Node, model: str, pace: Speed, request_id: str, held: Held, beliefs: Beliefs,
    slower: float,
) -> End:  # fmt: skip
    """From what is known of its progress. `pace`: of the board with this model; `slower`: its
    derating by heat."""
    meta = held.meta
    expected = beliefs.output_tokens(
        model, meta.priority if meta else "interactive", meta.output_limit if meta else 0
    )
    known: End | None = node.ends.get(request_id)
    if (
        known is not None
        and known[0] is held
        and known[1] is pace
        and known[2] == slower
        and known[3] == expected
    ):
        return known
    if len(node.ends) >= FORGOTTEN_BEYOND:
        node.ends.clear()
    found = node.ends[request_id] = _end(node, model, request_id, held, expected, slower, pace)
    return found


def _end(
    node: Node, model: str, request_id: str, held: Held, expected: float, slower: float,
    pace: Speed,
) -> End:  # fmt: skip
    meta = held.meta
    limit = meta.output_limit if meta else 0
    token_s = pace.decode_s_per_token * slower
    seen = node.progress.get(request_id)
    if seen is not None and seen.output_tokens > 0:
        from_s = node.heard_s
        first_s = from_s - seen.output_tokens * token_s
    else:
        from_s = held.since_s
        first_s = from_s + (meta.input_tokens if meta else 0) * (pace.prefill_s_per_token * slower)
        if model not in node.resident:
            first_s += pace.load_s
    limit_at_s = first_s + limit * token_s if limit > 0 else float("inf")
    work_s = expected * token_s
    residual_s = RESIDUAL_SHARE * work_s
    return End(
        held,
        pace,
        slower,
        expected,
        from_s,
        first_s,
        first_s + work_s,
        residual_s,
        limit_at_s,
        token_s,
    )
