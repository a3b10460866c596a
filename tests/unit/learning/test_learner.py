"""What follows from one more finished request, and from the boards' reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.fleets import held, node
from orion_contracts.config import NodeConfig
from orion_contracts.facts import Facts
from orion_contracts.prefixes import Prefix
from orion_router.fleet import Node
from orion_router.held import Held
from orion_router.learning.learner import Learner
from orion_router.policy.beliefs import Beliefs
from orion_router.policy.heat import Climate
from orion_router.policy.speeds import Learned

M1 = "m1:latest"
CHAIN = (Prefix("a1", 300),)
NEXT = (*CHAIN, Prefix("a2", 400))
RUN = Facts(prompt_s=3.0, output_tokens=50, output_s=5.0, load_s=7.0)


def after(outcome: Facts = RUN, board: Node | None = None, **meta: object) -> Beliefs:
    facts = {"input_tokens": 300, "source": "s", "prefixes": CHAIN, **meta}
    learner = Learner()
    learner.finished(board or node("a", ("m1",)), held(**facts), outcome, 100.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return learner.beliefs(100.0)


def test_a_finished_request_is_in_every_book() -> None:
    """Rates, lengths, prompts and its source's seconds of work."""
    beliefs = after()

    assert beliefs.speeds == {("a", M1): Learned(100.0, 10.0, 7.0)}
    assert beliefs.outputs[M1, "interactive"] == pytest.approx((2 * 128 + 50) / 3)
    assert beliefs.prompts.kept(M1, NEXT) == {"a": 350}
    assert beliefs.usage_s == {"s": 15.0}


def test_a_board_that_was_hot_is_faster_than_it_was() -> None:
    """Its figures are those of a cool one."""
    hot = node("a", ("m1",), throttled=True)

    assert after(board=hot).speeds == {("a", M1): Learned(125.0, 12.5, 7.0)}


def test_an_answer_that_was_cut_tells_no_length() -> None:
    """50 tokens at a limit of 50 might have been more; at a limit of 51 they were all."""
    assert after(output_limit=50).outputs == {}
    assert (M1, "interactive") in after(output_limit=51).outputs
    assert (M1, "batch") in after(priority="batch").outputs
    assert after(replace(RUN, reason="length")).outputs == {}
    assert (M1, "interactive") in after(replace(RUN, reason="stop")).outputs


@pytest.mark.parametrize(("read", "rate"), [(0, 100.0), (75, 100.0), (1200, 100.0), (74, None),
                                            (1201, None)])  # fmt: skip
def test_a_prompt_of_which_much_less_was_read_tells_no_rate(read: int, rate: float | None) -> None:
    """Or more, where its context was longer than anybody had told; 0: the engine did not count."""
    learned = after(replace(RUN, prompt_tokens=read)).speeds["a", M1]

    assert learned == Learned(rate, 10.0, 7.0)


def test_a_prompt_that_was_cached_tells_no_rate() -> None:
    """The second turn took 1 s for 400 tokens, of which 300 were kept."""
    learner, board = Learner(), node("a", ("m1",))
    learner.finished(board, held(input_tokens=300, prefixes=CHAIN), RUN, 0.0)
    learner.finished(board, held(input_tokens=400, prefixes=NEXT), replace(RUN, prompt_s=1.0), 0.0)
    fast = replace(RUN, prompt_s=1.5)
    learner.finished(board, held(input_tokens=300), fast, 0.0)
    learner.finished(board, held(input_tokens=300), fast, 0.0)

    assert learner.beliefs(0.0).speeds["a", M1].prefill_tokens_per_s == 100.0  # the slow quartile
    assert learner.rates.dump("a")[M1]["prefill"] == [100.0, 200.0, 200.0]


def test_hits_that_nobody_expected_do_not_pass_for_speed() -> None:
    """Four conversations in turn on a board that keeps them all: its rate stays what it is, and the
    room that it is believed to have grows to all of them."""
    learner, board = Learner(), node("a", ("m1",))
    talks = [(Prefix(f"talk{n}", 300),) for n in range(4)]
    for turn in range(5):
        for chain in talks:
            run = replace(RUN, prompt_s=3.0 if turn == 0 else 0.1)
            learner.finished(board, held(input_tokens=300, prefixes=chain), run, 0.0)

    assert learner.beliefs(0.0).speeds["a", M1].prefill_tokens_per_s == 100.0
    assert [learner.prompts.kept(M1, chain) for chain in talks] == [{"a": 300}] * 4


def test_a_hit_beyond_the_slots_is_measured_against_the_boards_own_rate() -> None:
    """300 tokens at 100 a second are 3 s; 1 s after one other prompt is a hit: 700 tokens."""
    learner, board = Learner(), node("a", ("m1",))
    other = (Prefix("b1", 300),)
    for prefixes, prompt_s in ((CHAIN, 3.0), (other, 3.0), (CHAIN, 1.0)):
        run = replace(RUN, prompt_s=prompt_s)
        learner.finished(board, held(input_tokens=300, prefixes=prefixes), run, 0.0)

    assert learner.prompts.rooms("a") == {M1: 700}


def test_heat_is_no_miss() -> None:
    """A throttled board takes 1.25 times as long for the same tokens: 1.8 s of 3.75 s is a hit."""
    learner, board = Learner(), node("a", ("m1",))
    other = (Prefix("b1", 300),)
    for prefixes in (CHAIN, other):
        learner.finished(board, held(input_tokens=300, prefixes=prefixes), RUN, 0.0)
    hot = node("a", ("m1",), throttled=True)
    run = replace(RUN, prompt_s=1.8)
    learner.finished(hot, held(input_tokens=300, prefixes=CHAIN), run, 0.0)

    assert learner.prompts.rooms("a") == {M1: 700}


def test_a_board_has_a_prompt_for_each_slot() -> None:
    """Two conversations on two slots."""
    learner, board = Learner(), node("a", ("m1",), slots=2)
    other = (Prefix("b1", 300),)
    for prefixes in (CHAIN, other):
        learner.finished(board, held(input_tokens=300, prefixes=prefixes), RUN, 0.0)

    assert learner.prompts.kept(M1, CHAIN) == {"a": 300}


def test_of_a_request_whose_facts_cannot_be_read_nothing_is_learned() -> None:
    """Its length is unknown."""
    learner = Learner()
    learner.finished(node("a"), Held("m1", None, 0.0), RUN, 0.0)

    assert (learner.beliefs(0.0).speeds, learner.beliefs(0.0).usage_s) == ({}, {})


def kept(board: Node) -> bool:
    """Whether the prompt is still believed to be there after this report."""
    learner = Learner()
    learner.finished(node("a", ("m1",)), held(input_tokens=300, prefixes=CHAIN), RUN, 0.0)
    learner.looked({"a": board}, frozenset(), 1.0)
    return bool(learner.prompts.kept(M1, CHAIN))


def test_what_left_a_boards_memory_left_its_cache() -> None:
    """The model is not resident any more, or the board is lost; silence alone says nothing."""
    assert kept(node("a", ("m1",)))
    assert not kept(node("a", ("m2",)))
    assert not kept(node("a", ("m1",), alive=False))
    assert kept(Node("a", None, True, state="stale"))


def test_reports_tell_the_climate() -> None:
    """By the slopes under load; of boards that are no more nothing is kept."""
    learner = Learner()
    for now_s in (0.0, 10.0):
        board = replace(node("a", temperature_c=60.0), slope_c_per_s=0.2, heard_s=now_s)
        learner.looked({"a": board}, frozenset({"a"}), now_s)
    assert learner.beliefs(10.0).climates == {"a": Climate(90.0, 40.0)}

    learner.looked({}, frozenset(), 20.0)
    assert learner.beliefs(20.0).climates == {}


# --- page and prompt caches by the board's memory ------------------------------------------------

FILE = {"m1": 2_000_000_000}
"""28.3 s from an SD card, 1 s from the page cache: the border is at 5.318 s."""


def loads(*seconds: float) -> Learned:
    learner, board = Learner(), node("a", models=FILE)
    for load_s in seconds:
        learner.finished(board, held(), Facts(load_s=load_s), 0.0)
    return learner.beliefs(0.0).speeds["a", M1]


def test_a_load_from_the_page_cache_is_no_load_from_the_disk() -> None:
    """Told apart by the geometric mean of what both should take."""
    assert loads(5.32) == Learned(load_s=5.32)
    assert loads(5.31) == Learned(warm_load_s=5.31)
    assert loads(30.0, 1.5) == Learned(load_s=30.0, warm_load_s=1.5)
    assert loads(0.0) == Learned()
    assert loads(0.5) == Learned(warm_load_s=0.5)


def test_the_border_follows_what_the_board_showed() -> None:
    """An SSD: 5.5 s and 1 s, so 2.35 s; after loads of 4 s and 0.25 s it is 1 s."""
    storage = NodeConfig(storage_bytes_per_second=400e6)
    board = node("a", models=FILE, said=storage)

    def last(*seconds: float) -> str:
        learner, before = Learner(), list[float]()
        for load_s in seconds:
            before = learner.rates.dump("a").get(M1, {"load_s": []})["load_s"]
            learner.finished(board, held(), Facts(load_s=load_s), 0.0)
        return "disk" if learner.rates.dump("a")[M1]["load_s"] != before else "pages"

    assert [last(2.4), last(2.3)] == ["disk", "pages"]
    assert [last(4.0, 0.25, 1.01), last(4.0, 0.25, 0.99)] == ["disk", "pages"]


def test_a_file_that_was_read_is_believed_to_be_in_the_page_cache() -> None:
    """After a run the model may leave memory, its file stays; a load that took long corrects it."""
    learner, board = Learner(), node("a", models=FILE)
    assert not learner.pages.warm(board, M1)
    learner.finished(board, held(), Facts(load_s=30.0), 0.0)
    assert learner.pages.warm(board, M1)

    tight = node("a", models=FILE, memory_available_bytes=2_800_000_000)
    assert learner.pages.warm(tight, M1)
    learner.finished(tight, held(), Facts(load_s=30.0), 0.0)
    assert not learner.pages.warm(tight, M1), "0.7 x 0.85 of 2.8 GB are less than the file"


def test_a_board_that_was_lost_was_perhaps_switched_off() -> None:
    """Its page cache is gone."""
    learner, board = Learner(), node("a", models=FILE)
    learner.finished(board, held(), Facts(load_s=30.0), 0.0)
    learner.looked({"a": board}, frozenset(), 1.0)
    assert learner.pages.warm(board, M1)
    learner.looked({"a": node("a", models=FILE, alive=False)}, frozenset(), 2.0)

    assert not learner.pages.warm(board, M1)


def test_a_prompt_cache_is_no_larger_than_its_memory() -> None:
    """16 MB at 80,000 bytes a token: 200 tokens of room, though 700 seemed to be there."""
    learner = Learner()
    board = node("a", ("m1",), models=FILE, prompt_cache_bytes=16_000_000)
    other = (Prefix("b1", 300),)
    for prefixes, prompt_s in ((CHAIN, 3.0), (other, 3.0), (CHAIN, 1.0)):
        run = replace(RUN, load_s=0.0, prompt_s=prompt_s)
        learner.finished(board, held(input_tokens=300, prefixes=prefixes), run, 0.0)

    assert learner.prompts.kept(M1, CHAIN)
    assert not learner.prompts.kept(M1, other)


def test_a_prompt_cache_is_as_large_as_its_memory() -> None:
    """64 MB at 80,000 bytes a token: two prompts of 300 are believed to be there at once."""
    learner = Learner()
    board = node("a", ("m1",), models=FILE, prompt_cache_bytes=64_000_000)
    other = (Prefix("b1", 300),)
    for prefixes in (CHAIN, other):
        run = replace(RUN, load_s=0.0, prompt_s=3.0)
        learner.finished(board, held(input_tokens=300, prefixes=prefixes), run, 0.0)

    assert learner.prompts.kept(M1, CHAIN)
    assert learner.prompts.kept(M1, other)
