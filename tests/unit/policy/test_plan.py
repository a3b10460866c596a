"""Each waiting request on the board where its answer is expected first."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from typing import Any

import pytest

from builders.fleets import held, holds, node, waiting
from builders.worlds import FIXED, M1, KeptPrompts, beliefs, planned
from orion_contracts.power import PowerModel
from orion_contracts.prefixes import Prefix
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.policy import DEFAULT_TUNING, Waiting
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.heat import Climate
from orion_router.policy.plan import Planning
from orion_router.policy.speeds import Learned
from orion_router.policy.values import Load

HOME, OTHER = node("a", ("m1",)), node("b")
QUIET = replace(FIXED, waste_price=0.0)


def goes(boards: list[Node], *queue: Waiting, load: Load | None = None, **facts: object) -> str:
    """Who goes where now, as "r1:a r2:b"."""
    _, due = planned(boards, list(queue), load, **facts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return " ".join(f"{request_id}:{name}" for request_id, name in sorted(due.items()))


def test_without_boards_slots_or_requests_nothing_is_planned() -> None:
    """Nothing is worked out either."""
    assert goes([], waiting()) == ""
    assert goes([HOME]) == ""
    assert goes([HOME], waiting(), load={"a": holds("m1")}) == ""
    planning, _ = planned([HOME, OTHER], [], {"a": holds("m1")})
    assert planning.free == 1


def test_equal_boards_are_taken_by_name() -> None:
    """The first one."""
    assert goes([node("a"), node("b"), node("c")], waiting()) == "r1:a"


def test_requests_spread_when_loading_is_sooner_than_waiting() -> None:
    """Answers of 12.8 s: the second waits 12.8 s for m1 on a, or loads on b for 15 s; the third
    would wait 25.6 s."""
    queue = [waiting(request_id=f"r{i}", since_s=i) for i in range(3)]

    assert goes([HOME, OTHER], *queue, tuning=QUIET) == "r0:a r2:b"


def test_a_wasted_second_is_dearer_when_others_wait() -> None:
    """b loads for 10 s and has to be 5 s better: alone in two slots a load costs 12.5 % more, with
    two requests 25 %, with four or more 50 %."""
    load = {"a": held_for(16.5)}
    behind = [waiting("m9", f"x{i}", 1.0) for i in range(3)]

    assert goes([HOME, OTHER], waiting(), load=load) == "r1:b"
    assert goes([HOME, OTHER], waiting(), *behind[:1], load=load) == ""
    assert goes([HOME, OTHER], waiting(), *behind, load={"a": held_for(19.9)}) == ""
    assert goes([HOME, OTHER], waiting(), *behind, load={"a": held_for(20.1)}) == "r1:b"
    assert goes([HOME, OTHER], waiting(), *behind, *behind, load={"a": held_for(20.1)}) == "r1:b"


def held_for(seconds: float) -> dict[str, Held]:
    """One request for m1 that takes so long: a second of writing, the rest of reading."""
    return {"x": held("m1", input_tokens=round(seconds * 100 - 100), output_limit=10)}


def test_the_longest_prompt_is_read_where_reading_is_cheap() -> None:
    """A busy board that keeps 3000 of 3200 tokens is 30 s faster than an idle one."""
    known = beliefs(prompts=KeptPrompts(leaf={"b": 3000}))
    item = waiting(input_tokens=3200, prefixes=(Prefix("root", 100), Prefix("leaf", 3200)))
    boards = [HOME, node("b", ("m1",))]

    assert goes(boards, item, known=known) == "r1:b"
    assert goes(boards, item, known=known, load={"b": holds("m1")}) == ""
    assert goes(boards, item, known=known, tuning=replace(FIXED, prefix_term=False)) == "r1:a"
    assert goes(boards, waiting(input_tokens=3200), known=known) == "r1:a"


def test_a_lost_prompt_costs_others_too() -> None:
    """a is free 25.6 s before b, which keeps 2000 tokens worth 20 s: with the price of waste at
    its whole, 30 s."""
    known = beliefs(prompts=KeptPrompts(leaf={"b": 2000}))
    item = waiting(input_tokens=2200, prefixes=(Prefix("leaf", 2200),))
    boards = [HOME, node("b", ("m1",))]
    load = {"b": {"x": held("m1", output_limit=0, input_tokens=1280)}}
    behind = [waiting("m9", f"x{i}", 1.0) for i in range(3)]

    assert goes(boards, item, known=known, load=load) == "r1:a"
    assert goes(boards, item, *behind, known=known, load=load) == ""
    assert goes(boards, item, *behind, known=known, load=load, tuning=QUIET) == "r1:a"


def test_boards_that_keep_the_prompt_need_not_be_eligible() -> None:
    """One that is gated, or unknown, is no choice, whatever it keeps."""
    known = beliefs(prompts=KeptPrompts(leaf={"gone": 3000}))
    item = waiting(input_tokens=3200, prefixes=(Prefix("leaf", 3200),))

    assert goes([HOME], item, known=known) == "r1:a"


def test_a_pin_is_obeyed() -> None:
    """Not the home of its model but the board it names; where that cannot take it, it waits."""
    assert goes([HOME, OTHER], waiting(pin="b")) == "r1:b"
    assert goes([HOME, OTHER], waiting(pin="c")) == ""
    assert goes([HOME, node("b", models=("m2",))], waiting(pin="b")) == ""


def test_a_failed_board_comes_after_all_others() -> None:
    """However dear they are, and is used when it is the only one."""
    item = waiting(failed_on=frozenset({"a"}), input_tokens=10**6)

    assert goes([HOME, OTHER], item) == "r1:b"
    assert goes([HOME], item) == "r1:a"


def test_a_suspect_waits_for_an_empty_board_and_keeps_it() -> None:
    """Neither beside what runs nor beside what is planned; and nobody comes after it."""
    wide = node("a", ("m1",), slots=2)
    suspect = waiting(request_id="s", crashes=1)

    assert goes([wide], suspect, load={"a": holds("m1")}) == ""
    assert goes([wide], suspect, waiting(since_s=1.0)) == "s:a"
    assert goes([wide], waiting(since_s=-1.0), suspect) == "r1:a"
    assert goes([wide, node("b", ("m1",), slots=2)], suspect, waiting(since_s=1.0)) == "r1:b s:a"
    assert goes([wide, node("b", ("m1",), slots=2)], waiting(since_s=-1.0), suspect) == "r1:a s:b"


def test_a_board_that_a_suspect_has_takes_nobody() -> None:
    """Until it is done."""
    load = {"a": {"s": held("m1")}}

    assert goes([node("a", ("m1",), slots=2)], waiting(), load=load) == "r1:a"
    suspects = frozenset({"s"})
    assert goes([node("a", ("m1",), slots=2)], waiting(), load=load, suspects=suspects) == ""


def test_who_starves_keeps_the_board_for_the_load_it_needs() -> None:
    """Beyond the bound no request for the resident model goes before it; batching or not."""
    old, young = waiting("m2", "old"), waiting("m1", "young", 99.0)
    alone = node("a", ("m1",))

    assert goes([alone], old, young, now_s=100.0, starvation_s=200.0) == "young:a"
    assert goes([alone], old, young, now_s=100.0, starvation_s=60.0) == "old:a"
    unbatched = replace(FIXED, batching=False)
    assert goes([alone], old, young, now_s=100.0, starvation_s=200.0, tuning=unbatched) == "old:a"


def test_a_board_drains_for_who_starves() -> None:
    """A slot is free, but what runs has to end before the model can leave."""
    old, young = waiting("m2", "old"), waiting("m1", "young", 99.0)
    wide = [node("a", ("m1",), slots=2)]
    load = {"a": holds("m1", since_s=99.0)}

    assert goes(wide, old, young, load=load, now_s=100.0, starvation_s=200.0) == "young:a"
    assert goes(wide, old, young, load=load, now_s=100.0, starvation_s=60.0) == ""


def test_the_drain_time_is_the_work_over_the_slots() -> None:
    """Three answers of 12.8 s and one prompt of 5 s each, in two slots: 26.7 s on top of 60 s."""
    others = [waiting("m1", f"x{i}", 99.0, input_tokens=500) for i in range(2)]
    old = waiting("m2", "old", 0.0, input_tokens=500)
    wide = [node("a", ("m1",), slots=2)]

    assert goes(wide, old, *others, now_s=86.6, starvation_s=60.0) == "x0:a x1:a"
    assert goes(wide, old, *others, now_s=86.8, starvation_s=60.0) == "old:a"


def test_a_long_request_waits_until_its_board_is_cool() -> None:
    """From 70 °C to 80 °C it takes 60.8 s under load: 128 tokens are fine, 1000 are not; on a
    board of no known climate they are."""
    warm = node("a", ("m1",), temperature_c=70.0)
    climates = {"a": Climate(100.0, 40.0)}
    known = beliefs(outputs=1000.0, climates=climates)
    assert pytest.approx(60.8, abs=0.1) == 150 * log(30 / 20)

    assert goes([warm], waiting(output_limit=128), known=known) == "r1:a"
    assert goes([warm], waiting(), known=known) == ""
    assert goes([warm], waiting(), known=known, tuning=replace(FIXED, heat_term=False)) == "r1:a"
    assert goes([warm, OTHER], waiting(), known=known) == "r1:b"
    assert goes([warm, OTHER], waiting(output_limit=128), known=known) == "r1:a"


def test_rest_is_a_price_not_a_ban() -> None:
    """The warm board would rest 42 s, the other one is busy for longer: it waits for the first."""
    warm = node("a", ("m1",), temperature_c=70.0)
    known = beliefs(outputs=700.0, climates={"a": Climate(100.0, 40.0)})
    load = {"b": {"x": held("m1", input_tokens=20_000)}}
    planning, due = planned([warm, OTHER], [waiting()], load, known=known, whole=True)

    assert due == {}
    assert planning.prospects["r1"].node == "a"


def test_a_board_as_cool_as_it_gets_begins_all_the_same() -> None:
    """It would become too warm, but rest would not help."""
    cool = node("a", ("m1",), temperature_c=42.0)
    known = beliefs(outputs=3000.0, climates={"a": Climate(100.0, 40.0)})

    assert goes([cool], waiting(), known=known) == "r1:a"


# --- looking ahead -----------------------------------------------------------------------------


def test_the_whole_plan_tells_when_each_request_begins() -> None:
    """m1 now and after 1 s; m2 after both, and its load; what no board has, never."""
    queue = [waiting("m2", "second", output_limit=10), waiting("m1", "first", 1.0, output_limit=10),
             waiting("m1", "third", 2.0, output_limit=10), waiting("m9", "never", 3.0)]  # fmt: skip
    planning, due = planned([HOME], queue, whole=True, tuning=QUIET)
    found = {name: (p.position, p.node, p.start_s) for name, p in planning.prospects.items()}

    assert due == {"first": "a"}
    assert found == {
        "second": (0, "a", pytest.approx(12.0)),
        "first": (1, "a", 0.0),
        "third": (2, "a", pytest.approx(1.0)),
        "never": (3, "", inf),
    }


def test_a_busy_fleet_is_looked_at_to_the_end_only_for_an_outlook() -> None:
    """Nothing is due, so a step plans nothing; the outlook plans all."""
    load = {"a": holds("m1", output_limit=50)}

    assert planned([HOME], [waiting()], load)[0].prospects == {}
    planning, due = planned([HOME], [waiting()], load, whole=True)
    assert due == {}
    assert planning.prospects["r1"].start_s == pytest.approx(5.0)


def test_prompts_count_by_what_is_not_cached() -> None:
    """The next request begins after 2 s of reading and 1 s of writing, not after 32 + 1 s."""
    known = beliefs(prompts=KeptPrompts(leaf={"a": 3000}))
    first = waiting(input_tokens=3200, prefixes=(Prefix("leaf", 3200),), output_limit=10)
    more = waiting(request_id="r2", since_s=1.0)
    planning, _ = planned([HOME], [first, more], known=known, whole=True, tuning=QUIET)

    assert planning.prospects["r2"].start_s == pytest.approx(3.0)
    assert known.speed(HOME, M1).prefill_s_per_token == 0.01


# --- what each figure is for -------------------------------------------------------------------


def paces(**figures: Learned) -> Beliefs:
    """Boards with m1 in memory, each with a speed of its own."""
    return Beliefs({(name, M1): each for name, each in figures.items()}, {("", ""): 100.0})


@pytest.mark.parametrize("energy_tie_s", [0.0, 0.001])
def test_a_long_prompt_goes_where_it_is_read_fast_a_long_answer_where_it_is_written_fast(
    energy_tie_s: float,
) -> None:
    """a reads 400 and writes 5 tokens a second, b 100 and 10; as well with a cached prompt."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    known = paces(a=Learned(400.0, 5.0), b=Learned(100.0, 10.0))

    def chosen(**facts: Any) -> str:
        planning = Planning(boards, {}, known, FIXED, 0.0, frozenset(), energy_tie_s)
        ((_, found),) = planning.run([waiting(**facts)], 60.0, lambda item: item.meta.pin)
        return found.name

    for failed in (frozenset[str](), frozenset({"c"})):
        assert chosen(input_tokens=1400, failed_on=failed) == "a"  # 3.5 + 20 s against 14 + 10 s
        assert chosen(input_tokens=1200, failed_on=failed) == "b"  # 3 + 20 s against 12 + 10 s
        assert chosen(input_tokens=1200, output_limit=80, failed_on=failed) == "a"


def test_an_answers_length_is_that_of_its_model_and_class() -> None:
    """Batch answers for m1 have 10 tokens, all others 1000: only they end before b is loaded."""
    outputs = {("", ""): 1000.0, (M1, "batch"): 10.0}
    known = replace(beliefs(), outputs=outputs)
    first, second = waiting(request_id="x", priority="batch"), waiting(since_s=1.0)

    assert goes([HOME, OTHER], first, second, known=known, tuning=QUIET, now_s=900.0) == "x:a"
    plain = replace(first, meta=replace(first.meta, priority="interactive"))
    assert goes([HOME, OTHER], plain, second, known=known, tuning=QUIET) == "r1:b x:a"
    load = {"a": {"h": held("m1", priority="batch")}}
    assert goes([HOME, OTHER], waiting(), load=load, known=known) == ""
    load = {"a": {"h": held("m1")}}
    assert goes([HOME, OTHER], waiting(), load=load, known=known) == "r1:b"


def test_what_a_source_had_counts_in_a_plan() -> None:
    """One slot: the modest source's request goes first, though it came 4 s later."""
    greedy, modest = waiting(request_id="g", source="g"), waiting(since_s=4.0, source="m")

    assert goes([HOME], greedy, modest, known=beliefs(usage_s={"g": 10.0})) == "r1:a"
    assert goes([HOME], greedy, modest) == "g:a"


def test_a_board_where_it_failed_keeps_its_other_terms() -> None:
    """Two of them: the one that has the model in memory."""
    item = waiting(failed_on=frozenset({"a", "b"}))

    assert goes([node("a"), node("b", ("m1",))], item) == "r1:b"


def test_a_warm_board_is_judged_by_what_is_left_to_read() -> None:
    """80 s of prompt would be too much for its headroom of 60.8 s, 10 s of it are not."""
    warm = node("a", ("m1",), temperature_c=70.0)
    known = beliefs(climates={"a": Climate(100.0, 40.0)},
                    prompts=KeptPrompts(leaf={"a": 7000}))  # fmt: skip
    item = waiting(input_tokens=8000, output_limit=10, prefixes=(Prefix("leaf", 8000),))

    assert goes([warm], item, known=known) == "r1:a"
    assert goes([warm], replace(item, meta=replace(item.meta, prefixes=())), known=known) == ""


def test_among_equally_fast_boards_the_frugal_one_is_taken() -> None:
    """Within the tie; a load costs energy, too; with none, the first by name."""
    thirsty = PowerModel(idle_w=3.0, max_w=12.0)
    frugal = PowerModel(idle_w=2.0, max_w=5.0)
    boards = [node("a", ("m1",), power=thirsty), node("b", ("m1",), power=frugal)]

    def chosen(tie_s: float, *nodes: Node) -> list[str]:
        planning = Planning(nodes, {}, beliefs(), FIXED, 0.0, frozenset(), tie_s)
        return [found.name for _, found in planning.run([waiting()], 60.0, lambda _: "")]

    assert chosen(0.0, *boards) == ["a"]
    assert chosen(1.0, *boards) == ["b"]
    assert chosen(1.0, boards[0], node("b", power=frugal)) == ["a"]
    assert chosen(60.0, boards[0], node("b", power=frugal)) == ["b"]
    assert chosen(1.0, node("a", models=("m2",))) == []


def test_alone_or_planned_to_the_end_it_starves_at_the_same_moment() -> None:
    """16 s of work on four boards, 0.7 of 4 s beyond the bound of 60 s: then it pays no more for
    the prompt that the faster board would lose."""
    boards = [node(name, ("m1",)) for name in "abcd"]
    known = beliefs(prompts=KeptPrompts(risks={("a", M1): 1000.0}))
    known = replace(known, speeds={**known.speeds, ("a", M1): Learned(130.0, 13.0, 10.0)})
    item = waiting(input_tokens=1000, output_limit=100)

    def chosen(waited_s: float, whole: bool) -> str:
        _, due = planned(boards, [item], now_s=waited_s, known=known, tuning=DEFAULT_TUNING,
                         whole=whole, starvation_s=60.0)  # fmt: skip
        return due["r1"]

    for whole in (False, True):
        assert [chosen(s, whole) for s in (0.0, 62.7, 62.9, 70.0)] == ["b", "b", "a", "a"]
