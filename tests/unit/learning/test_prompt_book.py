"""Which prompts each board still has in its prompt cache."""

from __future__ import annotations

from typing import Any, cast

import pytest

from orion_router.learning.prompt_cache import DEEPEST
from orion_router.learning.prompts import PromptBook

M1 = "m1:latest"
Chain = list[tuple[str, int]]


def talk(name: str, *tokens: int) -> Chain:
    """A conversation's prefixes; all share the system prompt of 10 tokens."""
    return [("system", 10), *((f"{name}{i}", n) for i, n in enumerate(tokens))]


X1, X2 = talk("x", 100), talk("x", 100, 200)
Y1, Z1 = talk("y", 100), talk("z", 100)


def test_the_next_turn_finds_the_one_before() -> None:
    """100 tokens of prompt and 50 of answer: the next prompt of 200 tokens has 150 of them."""
    book = PromptBook()
    book.used("a", M1, X1, 50)

    assert book.kept(M1, X2) == {"a": 150}
    assert book.kept(M1, Y1) == {}
    assert book.kept("m2:latest", X2) == {}
    assert book.kept(M1, []) == {}


def test_the_same_prompt_again_has_all_of_itself() -> None:
    """And no more: our answer is no part of it."""
    book = PromptBook()
    book.used("a", M1, X1, 50)

    assert book.kept(M1, X1) == {"a": 100}


def test_no_more_counts_than_up_to_the_next_boundary() -> None:
    """An answer of 500 tokens that the client cut to 100."""
    book = PromptBook()
    book.used("a", M1, X1, 500)

    assert book.kept(M1, X2) == {"a": 200}
    assert book.kept(M1, talk("x", 100, 120, 300)) == {"a": 120}


def test_of_several_boards_each_has_its_longest() -> None:
    """One kept the first turn, the other the second."""
    book = PromptBook()
    book.used("a", M1, X1, 50)
    book.used("b", M1, X2, 30)

    assert book.kept(M1, talk("x", 100, 200, 300)) == {"a": 150, "b": 230}
    assert book.kept(M1, X2) == {"a": 150, "b": 200}


def test_a_board_keeps_one_prompt_for_each_slot() -> None:
    """The one used last; with two slots, two."""
    one, two = PromptBook(), PromptBook()
    for book, slots in ((one, 1), (two, 2)):
        for chain in (X1, Y1, Z1):
            book.used("a", M1, chain, 0, slots)

    assert [bool(one.kept(M1, each)) for each in (X1, Y1, Z1)] == [False, False, True]
    assert [bool(two.kept(M1, each)) for each in (X1, Y1, Z1)] == [False, True, True]
    none = PromptBook()
    none.used("a", M1, X1, 0, 0)
    assert none.kept(M1, X1) == {"a": 100}


def test_a_turn_takes_the_place_of_the_one_before() -> None:
    """A conversation is in the cache once; so is a prompt that is sent again."""
    book = PromptBook()
    book.used("a", M1, Y1, 0, 2)
    book.used("a", M1, X1, 0, 2)
    book.used("a", M1, X2, 0, 2)
    book.used("a", M1, X2, 0, 2)

    assert book.kept(M1, Y1) == {"a": 100}
    assert book.kept(M1, X1) == {}
    assert book.kept(M1, X2) == {"a": 200}


def test_a_request_without_prefixes_changes_nothing() -> None:
    """Embeddings have no prompt to keep."""
    book = PromptBook()
    book.used("a", M1, X1, 0)
    book.used("a", M1, [], 0)

    assert book.kept(M1, X1) == {"a": 100}


def cached(fill: int = 2, tokens: int = 100, **facts: float) -> PromptBook:
    """A board of one slot; x, then `fill` others, then x again, which tells what it found."""
    book = PromptBook()
    book.used("a", M1, talk("x", tokens), 0)
    for i in range(fill):
        book.used("a", M1, talk(f"f{i}-", tokens), 0)
    book.used("a", M1, talk("x", tokens), 0, **facts)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return book


def test_a_prompt_read_faster_than_possible_was_cached() -> None:
    """Less than half of its time, two others after it: the board keeps 300 tokens."""
    assert cached(prompt_s=0.49, uncached_s=1.0).rooms("a") == {M1: 300}
    assert cached(prompt_s=0.50, uncached_s=1.0).rooms("a") == {}
    assert cached(prompt_s=0.49, uncached_s=0.0).rooms("a") == {}


def test_short_prompts_tell_nothing() -> None:
    """63 tokens are noise, 64 are not."""
    assert cached(tokens=63, prompt_s=0.0, uncached_s=1.0).rooms("a") == {}
    assert cached(tokens=64, prompt_s=0.0, uncached_s=1.0).rooms("a") == {M1: 192}


def test_the_slots_own_prompt_tells_nothing_of_the_room() -> None:
    """It is there in any case."""
    assert cached(fill=0, prompt_s=0.0, uncached_s=1.0).rooms("a") == {}
    assert cached(fill=1, prompt_s=0.0, uncached_s=1.0).rooms("a") == {M1: 200}


def test_a_small_share_of_a_prompt_tells_nothing() -> None:
    """100 tokens of 201 are less than half, of 200 they are enough: fresh are 50 %, so a hit is
    below 75 % of the whole time."""

    def then(total: int, share: float) -> dict[str, int]:
        book = PromptBook()
        book.used("a", M1, X1, 0)
        book.used("a", M1, Y1, 0)
        book.used("a", M1, talk("x", 100, total), 0, 1, share, 1.0)
        return book.rooms("a")

    assert then(201, 0.1) == {}
    assert then(200, 0.74) == {M1: 200}
    assert then(200, 0.75) == {}


def test_a_board_with_room_keeps_what_fits_into_it() -> None:
    """300 tokens: x and two more; the third one after it is too much."""
    book = cached(prompt_s=0.1, uncached_s=1.0)

    assert [bool(book.kept(M1, talk(n, 100))) for n in ("x", "f1-", "f0-")] == [True] * 3
    book.used("a", M1, Z1, 0)
    assert [bool(book.kept(M1, talk(n, 100))) for n in ("z", "x", "f1-")] == [True] * 3
    assert book.kept(M1, talk("f0-", 100)) == {}


def test_a_hit_that_does_not_come_true_makes_the_room_smaller() -> None:
    """x was believed to be there at a depth of 300 tokens, and was read whole: 200 are left."""
    book = cached(prompt_s=0.1, uncached_s=1.0)
    book.used("a", M1, talk("f0-", 100), 0, 1, 0.8, 1.0)
    assert book.rooms("a") == {M1: 300}, "80 % of the time is no miss yet"
    book.used("a", M1, talk("f1-", 100), 0, 1, 0.81, 1.0)

    assert book.rooms("a") == {M1: 200}
    assert book.kept(M1, talk("f0-", 100)) == {"a": 100}
    assert book.kept(M1, talk("x", 100)) == {}


def test_a_miss_of_what_was_not_expected_changes_nothing() -> None:
    """It was beyond the room."""
    book = cached(prompt_s=0.1, uncached_s=1.0)
    book.used("a", M1, Z1, 0)
    book.used("a", M1, talk("f0-", 100), 0, 1, 1.0, 1.0)

    assert book.rooms("a") == {M1: 300}


def test_a_hit_within_the_room_does_not_make_it_smaller() -> None:
    """The largest that was seen counts."""
    book = cached(prompt_s=0.1, uncached_s=1.0)
    book.used("a", M1, talk("f1-", 100), 0, 1, 0.1, 1.0)

    assert book.rooms("a") == {M1: 300}


def test_an_engine_keeps_no_more_than_its_memory_for_it() -> None:
    """What it was given bounds what was seen before a restart."""
    book = PromptBook()
    book.load_rooms("a", {M1: 300})
    book.used("a", M1, Z1, 0, most_tokens=150)
    assert book.rooms("a") == {M1: 150}
    book.used("a", M1, Z1, 0, most_tokens=999)
    assert book.rooms("a") == {M1: 150}


def test_what_the_engine_was_given_is_believed_until_it_is_missed() -> None:
    """Three prompts of 100 tokens in a room of 300, the first of which was not there after all:
    from then on 200 count, whatever is told, also after a restart."""
    book = PromptBook()
    for chain in (X1, Y1, Z1):
        book.used("a", M1, chain, 0, most_tokens=300)
    assert [bool(book.kept(M1, each)) for each in (X1, Y1, Z1)] == [True] * 3
    assert book.rooms("a") == {}, "told, and told again after a restart"

    book.used("a", M1, X1, 0, 1, 1.0, 1.0, most_tokens=300)
    assert book.rooms("a") == {M1: 200}
    assert [bool(book.kept(M1, each)) for each in (X1, Y1, Z1)] == [True, False, True]


def test_conversations_that_grow_do_not_leave_a_room_that_was_shown() -> None:
    """Each turn is a little longer than what the last one showed; half of it inside is enough."""
    book = PromptBook()
    for turn in range(1, 9):
        for name in ("x", "y", "z"):
            chain = talk(name, *(100 + 10 * n for n in range(turn)))
            if turn > 2:
                assert book.kept(M1, chain), f"{name} at turn {turn}"
            book.used("a", M1, chain, 0, 1, 0.1, 1.0)


def test_a_model_that_left_memory_left_its_prompts() -> None:
    """The room is a property of the board, and stays."""
    book = cached(prompt_s=0.1, uncached_s=1.0)
    assert book.models("a") == [M1]
    book.forget("a", M1)
    book.forget("a", M1)
    book.forget("b", M1)

    assert book.kept(M1, X1) == {}
    assert book.models("a") == []
    assert book.rooms("a") == {M1: 300}
    assert book.rooms("b") == {}


def test_boards_and_models_are_apart() -> None:
    """What one forgets the others keep."""
    book = PromptBook()
    book.used("a", M1, X1, 0)
    book.used("b", M1, X1, 0)
    book.used("a", "m2:latest", X1, 0)
    book.forget("a", M1)

    assert book.kept(M1, X1) == {"b": 100}
    assert book.kept("m2:latest", X1) == {"a": 100}
    assert book.models("a") == ["m2:latest"]
    assert book.models("b") == [M1]


def test_no_more_prompts_are_remembered_than_can_matter() -> None:
    """32 for each board and model, whatever the room."""
    book = PromptBook()
    book.load_rooms("a", {M1: 1_000_000})
    chains = [talk(f"c{i}-", 100) for i in range(DEEPEST + 1)]
    for chain in chains:
        book.used("a", M1, chain, 0)

    assert [bool(book.kept(M1, each)) for each in chains] == [False] + [True] * DEEPEST


def test_rooms_are_kept_over_a_restart() -> None:
    """Those that cannot be are passed over."""
    book = PromptBook()
    book.load_rooms("a", {M1: 249, "zero": 0, "minus": -1, "huge": 10_000_000, "one": 1,
                          "large": 9_999_999})  # fmt: skip
    assert book.rooms("a") == {M1: 249, "one": 1, "large": 9_999_999}

    for chain in (X1, Y1, Z1):
        book.used("a", M1, chain, 0)
    assert [bool(book.kept(M1, each)) for each in (X1, Y1, Z1)] == [False, True, True]
    book.load_rooms("b", {f"m{i}": 5 for i in range(70)})
    assert len(book.rooms("b")) == 64


def test_rooms_are_taken_all_or_none() -> None:
    """A document with a broken end is ignored from its beginning."""
    book, broken = PromptBook(), cast(Any, {M1: 250, "m2": "large"})
    with pytest.raises(ValueError, match="large"):
        book.load_rooms("a", broken)

    assert book.rooms("a") == {}


def with_room(tokens: int, *chains: Chain) -> PromptBook:
    """A board that was told so much room, on which a prompt beyond its slot was missed once."""
    book = PromptBook()
    for name in ("m", "n", "m"):
        took_s = 1.0 if book.boards() else 0.0
        book.used("a", M1, talk(name, 100), 0, 1, took_s, took_s)
    book.forget("a", M1)
    for chain in chains:
        book.used("a", M1, chain, 0, most_tokens=tokens)
    return book


def test_what_runs_pushes_out_what_the_slot_held() -> None:
    """210 tokens and half of the 100 fit into a room of 260, 211 do not."""
    told = with_room(260, X1)

    assert told.lasts("a", M1, [(Y1, 200)]) == {"x0": True}
    assert told.lasts("a", M1, [(Y1, 210)]) == {"x0": True}
    assert told.lasts("a", M1, [(Y1, 211)]) == {"x0": False}
    assert told.lasts("a", M1, [(Y1, 100), (Z1, 111)]) == {"x0": False}
    assert told.lasts("a", M1, []) == {"x0": True}
    assert told.lasts("b", M1, [(Y1, 900)]) == {}


def test_a_room_that_was_only_told_is_tried() -> None:
    """It is told in bytes and reckoned in tokens; one without any room is what it is."""
    told, none = PromptBook(), PromptBook()
    told.used("a", M1, X1, 0, most_tokens=260)
    none.used("a", M1, X1, 0, most_tokens=0)

    assert told.lasts("a", M1, [(Y1, 900)]) == {}
    assert none.lasts("a", M1, [(Y1, 1)]) == {"x0": False}


def test_a_turn_that_runs_is_part_of_its_conversation() -> None:
    """Two prompts of 100 in a room of 300: y's own next turn of 200 takes the place of y's last, so
    x stays; another conversation of that size would push out both."""
    told = with_room(300, X1, Y1)

    assert told.lasts("a", M1, [(talk("y", 100, 200), 200)]) == {"y0": True, "x0": True}
    assert told.lasts("a", M1, [(Z1, 260)]) == {"y0": False, "x0": False}
    assert told.lasts("a", M1, [(Z1, 200)]) == {"y0": True, "x0": False}


def test_slots_that_are_free_keep_their_prompts() -> None:
    """Of two slots the running one takes the other."""
    told = PromptBook()
    for chain in (X1, Y1):
        told.used("a", M1, chain, 0, 2, most_tokens=0)

    assert told.lasts("a", M1, [(Z1, 100)]) == {"y0": True, "x0": False}
    assert told.lasts("a", M1, [(talk("x", 100, 200), 200)]) == {"y0": True, "x0": True}


def test_a_room_that_nobody_knows_is_tried() -> None:
    """Until a prompt beyond the slot's own was read anew."""
    assert cached().lasts("a", M1, [(X1, 500)]) == {}
    assert cached(prompt_s=0.8, uncached_s=1.0).lasts("a", M1, [(Y1, 500)]) == {}
    tight = cached(prompt_s=0.9, uncached_s=1.0).lasts("a", M1, [(Y1, 500)])
    assert tight == {"x0": False, "f1-0": False, "f0-0": False}


def test_no_more_is_kept_than_the_engine_read() -> None:
    """A body of 10,000 tokens in a context of 400: also what the next turn saves."""
    book = PromptBook()
    book.used("a", M1, talk("x", 10_000), 50, read_tokens=400, returns=1.0)

    assert book.kept(M1, talk("x", 10_000, 10_100)) == {"a": 450}
    assert book.at_risk("a", M1, 0.0, all_of_them=True) == 450.0
    book.used("a", M1, talk("y", 100), 50, read_tokens=400)
    assert book.kept(M1, talk("y", 100, 200)) == {"a": 150}


def test_an_engine_that_counts_only_new_tokens_is_seen_through() -> None:
    """Of a turn of 200 tokens it counts the 50 that were not cached: the other 150 are there."""
    book = PromptBook()
    book.used("a", M1, X1, 50, read_tokens=100)
    book.used("a", M1, X2, 50, read_tokens=50)

    assert book.kept(M1, talk("x", 100, 200, 300)) == {"a": 250}


def test_a_board_that_is_no_more_is_forgotten() -> None:
    """But for the room that it was seen to have: it may come back. Others stay."""
    book = cached(prompt_s=0.1, uncached_s=1.0)
    for name in ("b", "c"):
        book.used(name, M1, X1, 0)
    for name in ("a", "b", "never"):
        book.drop(name)

    assert book.boards() == {"a", "c"}
    assert book.kept(M1, X1) == {"c": 100}
    assert book.rooms("a") == {M1: 300}


def test_an_idle_board_loses_the_slots_prompt_to_the_next() -> None:
    """100 tokens, to which the conversation comes back with a chance of 80 %, the less so the
    longer it is silent: after its mean pause by a factor e."""
    book = PromptBook()
    book.used("a", M1, X1, 0, now_s=10.0, returns=0.8)

    assert book.at_risk("a", M1, 10.0, all_of_them=False) == pytest.approx(80.0)
    assert book.at_risk("a", M1, 70.0, all_of_them=False) == pytest.approx(80.0 / 2.7182818)
    assert book.at_risk("a", M1, 10.0, all_of_them=True) == pytest.approx(80.0)
    assert book.at_risk("a", M1, 5.0, all_of_them=True) == pytest.approx(80.0), "no clock goes back"
    assert book.at_risk("b", M1, 10.0, all_of_them=True) == 0.0


def test_with_room_only_the_oldest_is_at_risk() -> None:
    """Two prompts of 100 fit beside a third of that size; with three, the oldest does not. All of
    them leave with the model."""
    book = PromptBook()
    for at_s, chain in enumerate((X1, Y1)):
        book.used("a", M1, chain, 0, most_tokens=250, now_s=float(at_s), returns=1.0)
    assert book.at_risk("a", M1, 1.0, all_of_them=False) == 0.0
    book.used("a", M1, Z1, 0, most_tokens=250, now_s=2.0, returns=1.0)

    fades = [2.7182818 ** (-age / 60.0) for age in (0.0, 1.0, 2.0)]
    assert book.at_risk("a", M1, 2.0, all_of_them=False) == pytest.approx(100.0 * fades[2])
    assert book.at_risk("a", M1, 2.0, all_of_them=True) == pytest.approx(100.0 * sum(fades))


def test_nothing_is_at_risk_of_a_model_that_left() -> None:
    """It is lost already."""
    book = PromptBook()
    book.used("a", M1, X1, 0, now_s=10.0, returns=1.0)
    book.forget("a", M1)

    assert book.at_risk("a", M1, 10.0, all_of_them=True) == 0.0


def test_moments_out_of_order_are_one_moment() -> None:
    """No chance is above one, whatever clock was read."""
    book = PromptBook()
    book.load_rooms("a", {M1: 1000})
    book.used("a", M1, X1, 0, now_s=1e6, returns=1.0)
    book.used("a", M1, Y1, 0, now_s=0.0, returns=1.0)

    assert book.at_risk("a", M1, 0.0, all_of_them=True) == pytest.approx(200.0)


def test_a_conversation_that_goes_on_later_is_at_risk_for_longer() -> None:
    """By the pause that is usual."""
    book = PromptBook()
    book.pause_s = 600.0
    book.used("a", M1, X1, 0, now_s=0.0, returns=1.0)

    assert book.at_risk("a", M1, 60.0, all_of_them=False) == pytest.approx(100.0 * 2.7182818**-0.1)
