"""A board during one planning step: 100 prompt tokens/s, 10 answer tokens/s, loads of 10 s."""

from __future__ import annotations

from math import inf, log

import pytest

from builders.fleets import held, holds, node, waiting
from builders.worlds import LOAD_S, M1, M2, M3, about, beliefs, lane
from orion_contracts.health import Progress
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.policy.batches import Place
from orion_router.policy.heat import NEVER_COOL_S, Climate
from orion_router.policy.lanes import Lane

HOME = node("a", ("m1",))


def left_s(each: Held, now_s: float, board: Node = HOME, outputs: float = 50.0) -> float:
    """How long the board's one request still takes."""
    return lane(board, {"r": each}, now_s, beliefs(outputs=outputs)).first_s


# --- what runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now_s", "rest_s"),
    [
        (10.0, 7.0),  # 200 tokens to read, 50 to write
        (11.0, 6.0),
        (12.0, 5.0),
        (14.0, 3.0),
        (15.5, 1.5),
        (17.0, 1.5),  # longer than expected: 30 % of 50 tokens
        (99.0, 1.5),
        (9.0, 7.0),  # a moment before it was given: clocks are monotonic, so nothing is made of it
    ],
)
def test_what_remains_is_reckoned_from_the_time_that_passed(now_s: float, rest_s: float) -> None:
    """First the prompt, then token by token; an answer that is longer than expected goes on."""
    assert left_s(held(since_s=10.0, input_tokens=200), now_s) == about(rest_s)


@pytest.mark.parametrize(("now_s", "rest_s"), [(0.0, 5.0), (4.0, 1.0), (4.4, 0.6), (4.95, 0.1)])
def test_no_answer_goes_beyond_the_clients_limit(now_s: float, rest_s: float) -> None:
    """Near the limit only what is left of it counts, at least one token."""
    assert left_s(held(output_limit=50), now_s, outputs=80.0) == about(rest_s)


def test_a_model_that_is_not_in_memory_is_loaded_first() -> None:
    """10 s more at the beginning; they pass like the others."""
    cold = held("m2", input_tokens=200)

    assert left_s(cold, 0.0) == about(17.0)
    assert left_s(cold, 11.0) == about(6.0)


def test_a_report_of_its_progress_is_better_than_the_clock() -> None:
    """40 tokens were written at 20 s; a second later 50 of 80."""
    progress = (Progress(request_id="r", state="decode", output_tokens=40),)
    board = node("a", ("m1",), 20.0, progress=progress)

    assert left_s(held(), 20.0, board, 80.0) == about(4.0)
    assert left_s(held(), 21.0, board, 80.0) == about(3.0)
    assert left_s(held(input_tokens=9000), 21.0, board, 80.0) == about(3.0)
    assert left_s(held(), 19.0, board, 80.0) == about(4.0)


def test_a_report_of_no_token_says_nothing() -> None:
    """The prompt is being read: the clock counts."""
    progress = (Progress(request_id="r", output_tokens=0),)
    other = (Progress(request_id="other", state="decode", output_tokens=40),)

    for found in (progress, other):
        board = node("a", ("m1",), 20.0, progress=found)
        assert left_s(held(since_s=20.0, input_tokens=200), 21.0, board) == about(6.0)


def test_a_single_token_is_progress() -> None:
    """From the first one on."""
    progress = (Progress(request_id="r", state="decode", output_tokens=1),)
    board = node("a", ("m1",), 20.0, progress=progress)

    assert left_s(held(input_tokens=900), 20.0, board, 81.0) == about(8.0)


def test_a_request_whose_facts_cannot_be_read_takes_the_usual_time() -> None:
    """Its model is unknown, so is its prompt: the rule of thumb for a model and 50 tokens."""
    found = left_s(Held("", None, 0.0), 0.0, HOME)

    assert found == about(0.5 + 1000 / 72 + 50 / 9.0)
    assert left_s(Held("m1", None, 0.0), 0.0) == about(5.0)


def test_heat_makes_what_runs_slower() -> None:
    """A throttled board takes 1.25 times as long, unless heat is not to count."""
    hot = node("a", ("m1",), throttled=True)
    load, known = {"r": held(input_tokens=200)}, beliefs(outputs=50.0)

    assert lane(hot, load, 0.0, known).first_s == about(8.75)
    assert lane(hot, load, 3.0, known).first_s == about(5.75)
    assert lane(hot, load, 0.0, known, heat=False).first_s == about(7.0)


# --- slots and memory --------------------------------------------------------------------------


def test_a_slot_is_free_or_ends_when_its_request_does() -> None:
    """Three slots, two requests: one is free now, all are after the longer one."""
    load = {"long": held(output_limit=90), "short": held(output_limit=20)}
    found = lane(node("a", ("m1",), slots=3), load)

    assert (found.free, found.slots) == (1, 3)
    assert found.ends_s == [0.0, about(2.0), about(9.0)]
    assert (found.first_s, found.all_free_s) == (0.0, about(9.0))


def test_a_board_that_holds_more_than_its_slots_is_not_free() -> None:
    """Its slots were reduced, or it was given direct entries."""
    found = lane(HOME, {"a": held(output_limit=20), "b": held(output_limit=90)})

    assert found.free == 0
    assert found.ends_s == [about(9.0)]


def test_the_first_batch_is_what_is_in_memory() -> None:
    """Requests for what is resident begin when a slot is free, without a load."""
    found = lane(node("a", ("m1", "m2")))

    assert [each.models for each in found.batches] == [frozenset({M1, M2})]
    assert found.place(M2, LOAD_S) == Place(0, 0.0, 0.0)


def test_a_model_on_its_way_takes_the_place_of_another() -> None:
    """m2 is being loaded: m1 will be gone, unless the engine has two places."""
    assert lane(HOME, holds("m2")).batches[0].models == {M2}
    two = node("a", ("m1",), seats=2)
    assert lane(two, holds("m2")).batches[0].models == {M1, M2}
    assert lane(two, holds("m1")).batches[0].models == {M1}
    assert lane(node("a", ("m1",), slots=2), holds("m2", "m3")).batches[0].models == {M2, M3}
    assert lane(two, holds("m2")).busy == {M2}


# --- where a request would go ------------------------------------------------------------------


def test_a_model_that_is_not_in_memory_begins_with_a_load() -> None:
    """In a new batch, as soon as a slot is free."""
    assert lane(HOME).place(M2, LOAD_S) == Place(1, 0.0, LOAD_S)
    assert lane(HOME, holds("m1", output_limit=50)).place(M2, LOAD_S) == Place(1, 5.0, LOAD_S)


def test_what_runs_ends_before_its_model_leaves() -> None:
    """With a free slot beside it, too: one place in memory, 5 s of m1 ahead."""
    board = node("a", ("m1",), slots=2)
    load = holds("m1", output_limit=50)

    assert lane(board, load).place(M2, LOAD_S) == Place(1, 5.0, LOAD_S)
    assert lane(board, load).place(M1, LOAD_S) == Place(0, 0.0, 0.0)
    two = node("a", ("m1",), slots=2, seats=2)
    assert lane(two, load).place(M2, LOAD_S) == Place(1, 0.0, LOAD_S)


def give(
    to: Lane, request_id: str, model: str, service_s: float, lock: bool = False, cool: bool = True
) -> Place:
    """Plan a request for this model (m1, m2, ...), and say where."""
    at = to.place(f"{model}:latest", LOAD_S)
    to.add(waiting(model, request_id), f"{model}:latest", at, service_s, lock, cool)
    return at


def rows(found: Lane) -> dict[str, float]:
    return {item.request_id: begin_s for item, begin_s in found.begins()}


def due(found: Lane) -> list[str]:
    return [item.request_id for item in found.due()]


def test_requests_for_one_model_share_its_load() -> None:
    """The second one begins after the first one's 4 s, and no load."""
    found = lane(HOME)

    assert give(found, "r1", "m2", 4.0) == Place(1, 0.0, 10.0)
    assert give(found, "r2", "m2", 6.0) == Place(1, 14.0, 0.0)
    assert give(found, "r3", "m3", 1.0) == Place(2, 20.0, 10.0)
    assert give(found, "r4", "m2", 3.0) == Place(1, 20.0, 0.0)
    assert found.place(M3, LOAD_S) == Place(2, 34.0, 0.0)
    assert rows(found) == {"r1": 10.0, "r2": 14.0, "r4": 20.0, "r3": 33.0}


def test_what_is_resident_overtakes_and_moves_the_others_back() -> None:
    """A request for m1 begins at once though one for m2 was planned before it."""
    found = lane(HOME)
    give(found, "r1", "m2", 4.0)

    assert give(found, "r2", "m1", 3.0) == Place(0, 0.0, 0.0)
    assert give(found, "r3", "m1", 2.0) == Place(0, 3.0, 0.0)
    assert found.place(M2, LOAD_S) == Place(1, 19.0, 0.0)
    assert rows(found) == {"r2": 0.0, "r3": 3.0, "r1": 15.0}
    assert due(found) == ["r2"]


def test_a_locked_batch_is_overtaken_no_more() -> None:
    """The next request for m1 comes after it, in a batch of its own."""
    found = lane(HOME)
    give(found, "r0", "m1", 1.0)
    give(found, "r1", "m2", 4.0, lock=True)

    assert give(found, "r2", "m1", 3.0) == Place(2, 15.0, 10.0)
    assert give(found, "r3", "m2", 1.0) == Place(1, 15.0, 0.0)
    assert give(found, "r4", "m1", 1.0) == Place(2, 29.0, 0.0)


def test_a_locked_first_batch_takes_more_of_its_models() -> None:
    """Who waits too long for a resident model keeps nobody of that model out."""
    found = lane(node("a", ("m1",), slots=2))

    assert give(found, "r1", "m1", 4.0, lock=True) == Place(0, 0.0, 0.0)
    assert give(found, "r2", "m1", 4.0) == Place(0, 0.0, 0.0)
    assert due(found) == ["r1", "r2"]


def test_two_slots_do_two_things_at_once() -> None:
    """The first batch begins by slots; later ones share their work evenly."""
    found = lane(node("a", ("m1",), slots=2))
    assert give(found, "r1", "m1", 4.0) == Place(0, 0.0, 0.0)
    assert give(found, "r2", "m1", 6.0) == Place(0, 0.0, 0.0)
    assert give(found, "r3", "m1", 1.0) == Place(0, 4.0, 0.0)
    assert give(found, "r4", "m1", 1.0) == Place(0, 5.0, 0.0)
    assert give(found, "r5", "m2", 8.0) == Place(1, 6.0, 10.0)
    assert give(found, "r6", "m2", 8.0) == Place(1, 20.0, 0.0)


def test_what_a_board_would_do_with_one_request_alone() -> None:
    """Whatever is planned there: for explanations."""
    found = lane(HOME, holds("m1", output_limit=50))
    give(found, "r1", "m1", 4.0)
    give(found, "r2", "m2", 4.0)

    assert found.alone_place(M1, LOAD_S) == Place(0, about(5.0), 0.0)
    assert found.alone_place(M2, LOAD_S) == Place(1, about(5.0), LOAD_S)
    wide = lane(node("a", ("m1",), slots=2), holds("m1", output_limit=50))
    assert wide.alone_place(M1, LOAD_S) == Place(0, 0.0, 0.0)
    assert wide.alone_place(M2, LOAD_S) == Place(1, about(5.0), LOAD_S)
    both = lane(node("a", ("m1",), slots=2, seats=2), holds("m1", output_limit=50))
    assert both.alone_place(M2, LOAD_S) == Place(1, 0.0, LOAD_S)


def test_a_later_load_waits_for_what_is_planned_and_for_what_runs() -> None:
    """The slot beside it is planned for 3 s, what runs ends after 5 s; and the other way about."""
    found = lane(node("a", ("m1",), slots=2), holds("m1", output_limit=50))
    give(found, "r1", "m1", 3.0)
    assert found.place(M2, LOAD_S) == Place(1, about(5.0), LOAD_S)
    give(found, "r2", "m1", 9.0)
    assert found.place(M2, LOAD_S) == Place(1, about(5.0), LOAD_S)
    give(found, "r3", "m1", 9.0)
    assert found.place(M2, LOAD_S) == Place(1, about(12.0), LOAD_S)


# --- what is due -------------------------------------------------------------------------------


def test_as_many_are_due_as_slots_are_free() -> None:
    """In the order of their turns."""
    found = lane(node("a", ("m1",), slots=3), holds("m1"))
    for name in ("r1", "r2", "r3"):
        give(found, name, "m1", 1.0)

    assert due(found) == ["r1", "r2"]
    assert found.planned
    assert not lane(HOME).planned
    assert due(lane(HOME)) == []


def test_a_load_that_would_evict_what_was_just_given_waits() -> None:
    """One place: m1 now, m2 later. Two places: both now."""
    one = lane(node("a", ("m1",), slots=2))
    two = lane(node("a", ("m1",), slots=2, seats=2))
    for found in (one, two):
        give(found, "r1", "m1", 1.0)
        give(found, "r2", "m2", 1.0)

    assert due(one) == ["r1"]
    assert due(two) == ["r1", "r2"]


def test_a_load_begins_when_all_that_runs_has_ended() -> None:
    """Not in the free slot beside what runs."""
    found = lane(node("a", ("m1",), slots=2), holds("m1"))
    give(found, "r1", "m2", 1.0)

    assert due(found) == []
    give(found, "r2", "m1", 1.0)
    assert due(found) == ["r2"]


def test_a_board_that_is_too_warm_for_one_request_takes_another() -> None:
    """The long one waits in its place until the board is cooler."""
    found = lane(HOME)
    give(found, "r1", "m1", 9.0, cool=False)
    assert due(found) == []
    assert not found.settled

    give(found, "r2", "m1", 1.0)
    assert due(found) == ["r2"]
    assert found.settled


def test_a_board_is_settled_when_nothing_later_can_change_what_is_due() -> None:
    """Its free slots are spoken for, or nobody may overtake."""
    found = lane(node("a", ("m1",), slots=2))
    give(found, "r1", "m1", 1.0)
    assert not found.settled
    give(found, "r2", "m2", 1.0)
    assert not found.settled
    give(found, "r3", "m1", 1.0)
    assert found.settled

    locked = lane(HOME)
    give(locked, "r1", "m2", 1.0, lock=True)
    assert locked.settled


# --- heat --------------------------------------------------------------------------------------

WARM = Climate(100.0, 40.0)
HALF_S = 150.0 * log(2.0)


def warm(celsius: float | None, heat: bool = True) -> Lane:
    board = node("a", ("m1",), temperature_c=celsius)
    return lane(board, None, 0.0, beliefs(climates={"a": WARM}), heat)


def test_a_board_has_headroom_by_its_climate() -> None:
    """Half of the way from 60 °C to 100 °C: ln 2 time constants; without heat, endless."""
    assert warm(60.0).headroom_s == about(HALF_S)
    assert warm(60.0, heat=False).headroom_s == inf
    assert warm(None).headroom_s == inf
    assert lane(HOME).headroom_s == inf


def test_work_beyond_the_headroom_asks_for_rest() -> None:
    """From 70 °C to 60 °C first; never more than the price of a board that cannot."""
    assert warm(70.0).too_warm_s(HALF_S) == about(150.0 * log(1.5))
    assert warm(60.0).too_warm_s(HALF_S - 0.001) == 0.0
    assert warm(70.0).too_warm_s(1e4) == NEVER_COOL_S
    assert warm(None).too_warm_s(1e4) == 0.0
    assert lane(HOME).too_warm_s(1e4) == 0.0


def test_a_board_that_rests_near_its_coolest_rests_no_more() -> None:
    """Within 3 °C of it, or where nothing is known of it."""
    assert warm(43.0).coolest
    assert not warm(43.1).coolest
    assert warm(None).coolest
    assert lane(HOME).coolest
