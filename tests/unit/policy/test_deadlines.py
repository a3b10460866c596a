"""What a client's deadline means for the plan."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from builders.arbitrary import NOW_S, World, worlds
from builders.fleets import fleet, holds, node, waiting
from builders.worlds import M1
from orion_contracts.config import Routing
from orion_router.fleet import Fleet
from orion_router.policy import Beliefs, Waiting, assign, decide, outlook
from orion_router.policy.speeds import Learned

DAY_MS = 86_400_000
READS = Learned(prefill_tokens_per_s=100.0, decode_tokens_per_s=10.0, load_s=20.0)


def why(item: Waiting, boards: Fleet, beliefs: Beliefs) -> str:
    decision = decide(item, boards, {}, 0.0, Routing(), beliefs=beliefs)
    return decision.verdict if decision.verdict == "assign" else decision.why


def test_a_prompt_that_cannot_be_read_in_time_is_not_begun() -> None:
    """500 tokens at 100 a second take 5 s: a deadline of 5 s is kept, one of less is not."""
    boards, seen = fleet(node("a", ("m1",))), Beliefs({("a", M1): READS})

    assert why(waiting(input_tokens=500, deadline_ms=5000), boards, seen) == "assign"
    assert why(waiting(input_tokens=500, deadline_ms=4999), boards, seen) == (
        "its deadline is too near for any board"
    )
    assert why(waiting(input_tokens=500), boards, seen) == "assign"


def test_its_load_counts_where_it_was_seen() -> None:
    """20 s and 5 s."""
    boards = fleet(node("a"))
    seen, never = Beliefs({("a", M1): READS}), Beliefs({("a", M1): replace(READS, load_s=None)})

    assert why(waiting(input_tokens=500, deadline_ms=25_000), boards, seen) == "assign"
    assert why(waiting(input_tokens=500, deadline_ms=24_999), boards, seen) != "assign"
    assert why(waiting(input_tokens=500, deadline_ms=5000), boards, never) == "assign"


def test_one_board_that_can_or_may_do_it_is_enough() -> None:
    """A faster one, or one that nothing is known of: the rule of thumb refuses nobody."""
    item, slow = waiting(input_tokens=500, deadline_ms=1000), {("a", M1): READS}
    boards = fleet(node("a", ("m1",)), node("b", ("m1",)))
    fast = Learned(prefill_tokens_per_s=500.0, decode_tokens_per_s=10.0)

    assert why(item, boards, Beliefs(slow)) == "assign"
    assert why(item, boards, Beliefs({**slow, ("b", M1): fast})) == "assign"
    assert why(item, boards, Beliefs({**slow, ("b", M1): READS})) != "assign"
    assert why(item, fleet(node("a", ("m1",))), Beliefs()) == "assign"


def test_a_hopeless_one_takes_nobodys_place() -> None:
    """The free board goes to who comes next; the plan shows no start for it."""
    boards, seen = fleet(node("a", ("m1",))), Beliefs({("a", M1): READS})
    queue = [waiting(request_id="late", input_tokens=500, deadline_ms=100),
             waiting(request_id="next", input_tokens=500)]  # fmt: skip

    given_out = assign(queue, boards, {}, 0.0, Routing(), beliefs=seen)

    assert [d.request_id for d in given_out] == ["next"]
    assert outlook(queue, boards, {}, 0.0, Routing(), beliefs=seen)["late"].node == ""


def test_a_pressed_request_is_not_overtaken_by_those_for_the_model_in_memory() -> None:
    """It needs a load, and has 70 s for it; without a deadline the resident model goes first."""
    boards = fleet(node("a", ("m2",), models={"m1": 10, "m2": 10}))
    seen = Beliefs({("a", f"{m}:latest"): READS for m in ("m1", "m2")})
    others = [waiting("m2", f"o{i}", input_tokens=500, score=i) for i in range(4)]

    def first(**facts: int) -> str:
        queue = [*others, waiting("m1", "mine", input_tokens=500, score=9.0, **facts)]
        return assign(queue, boards, {}, 0.0, Routing(), beliefs=seen)[0].request_id

    assert first() == "o0"
    assert first(deadline_ms=70_000) == "mine"


def with_deadlines(world: World, deadline_ms: int) -> list[Waiting]:
    return [replace(item, meta=replace(item.meta, deadline_ms=deadline_ms)) for item in world.queue]


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_far_deadlines_change_nothing(world: World) -> None:
    """A plan with a day for everything is the plan without deadlines."""

    def planned(queue: list[Waiting]) -> list[tuple[str, str, str]]:
        found = assign(queue, world.fleet, world.load, NOW_S, Routing(), world.cooling,
                       world.suspects, world.beliefs)  # fmt: skip
        return [(d.request_id, d.verdict, d.node) for d in found]

    assert planned(with_deadlines(world, DAY_MS)) == planned(list(world.queue))


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from([1, 5000, 60_000]))
def test_no_deadline_makes_a_board_take_more_or_what_it_may_not(
    world: World, deadline_ms: int
) -> None:
    """Never beyond its free slots, never an excluded board."""
    found = assign(with_deadlines(world, deadline_ms), world.fleet, world.load, NOW_S, Routing(),
                   world.cooling, world.suspects, world.beliefs)  # fmt: skip
    for board in world.boards:
        mine = [d for d in found if d.verdict == "assign" and d.node == board.name]
        assert len(mine) <= max(0, board.slots - len(world.load.get(board.name, ())))
        assert board.eligible or not mine


def test_the_wait_for_a_busy_board_counts() -> None:
    """It is planned behind what runs there, and is hopeless until that is done."""
    boards, seen = fleet(node("a", ("m1",))), Beliefs({("a", M1): READS})
    item = waiting(input_tokens=100, deadline_ms=3000)
    busy = {"a": holds("m1", output_limit=500)}

    assert outlook([item], boards, busy, 0.0, Routing(), beliefs=seen)["r1"].node == ""
    assert outlook([item], boards, {}, 0.0, Routing(), beliefs=seen)["r1"].node == "a"
