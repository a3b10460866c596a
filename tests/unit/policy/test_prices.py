"""What board time that others would lose counts for."""

from __future__ import annotations

from dataclasses import replace

from builders.fleets import holds, node
from builders.worlds import FIXED, about, lane
from orion_router.policy.prices import prices

TUNING = replace(FIXED, lost_prompts=0.8)
IDLE = [lane(node(name, ("m1",))) for name in "abc"]
BUSY = [lane(node(name, ("m1",)), holds("m1")) for name in "de"]


def test_the_only_idle_board_loses_its_prompt_anyway() -> None:
    """What an idle board would lose counts by the share of the others that are idle."""
    assert prices(IDLE + BUSY, {}, 1, TUNING).displaced == about(0.8 * 2 / 4)
    assert prices(IDLE, {}, 1, TUNING).displaced == about(0.8)
    assert prices(IDLE[:1] + BUSY, {}, 1, TUNING).displaced == 0.0
    assert prices(BUSY, {}, 1, TUNING).displaced == 0.0
    assert prices(IDLE[:1], {}, 1, TUNING).displaced == 0.0
    half = [lane(node("f", ("m1",), slots=2), holds("m1"))]
    assert prices(IDLE[:1] + half, {}, 1, TUNING).displaced == 0.0, "a free place is no idle board"


def test_prompts_that_leave_with_a_model_count_however_busy_the_boards_are() -> None:
    """They would still be there."""
    assert prices(IDLE + BUSY, {}, 9, TUNING).prompts == 0.8
    assert prices(BUSY, {}, 9, TUNING).prompts == 0.8


def test_a_free_place_is_time_to_load() -> None:
    """What a last replica is worth is asked of places, not of boards."""
    half = [lane(node("f", ("m1",), slots=2), holds("m1"))]

    assert prices(half + IDLE[:1], {}, 1, TUNING).replica == TUNING.last_replica_idle
    assert prices(half, {}, 1, TUNING).replica == TUNING.last_replica
