"""Prompts that boards have in their caches, in one planning step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders.fleets import fleet, held, holds, node, waiting
from builders.worlds import FIXED, M1, KeptPrompts, about, beliefs, lane, planned
from orion_contracts.config import Routing
from orion_router.policy import decide
from orion_router.policy.lanes import Lane
from orion_router.policy.recall import Recall

TALK = (("t0", 50), ("t1", 400))
RUNNING = {"r": held("m1", input_tokens=200)}


def kept(lasts: bool = True, **risks: float) -> KeptPrompts:
    """Boards a and b have 300 and 200 tokens of the conversation."""
    return KeptPrompts(lasts, {(name, M1): tokens for name, tokens in risks.items()},
                       t1={"a": 300, "b": 200})  # fmt: skip


def test_what_runs_there_may_push_the_prompt_out() -> None:
    """Only on the board that is busy with the same model; and no more than the prompt has."""
    meta = waiting("m1", prefixes=TALK, input_tokens=250).meta

    def left(prompts: KeptPrompts, *lanes: Lane) -> dict[str, int]:
        recall = Recall(beliefs(prompts=prompts), lanes)
        return dict(recall.lasting(meta, M1, prompts.kept(M1, TALK)))

    same, idle = lane(node("a", ("m1",)), RUNNING), lane(node("b", ("m1",)))
    other = lane(node("a", ("m1", "m2")), {"r": held("m2", input_tokens=200)})
    assert left(kept(lasts=True), same, idle) == {"a": 250, "b": 200}
    assert left(kept(lasts=False), same, idle) == {"b": 200}
    assert left(kept(lasts=False), other, idle) == {"a": 250, "b": 200}
    assert left(kept(lasts=False), idle) == {"a": 250, "b": 200}, "a board that is not planned for"


def test_a_step_remembers_what_saves_time() -> None:
    """The most tokens; nothing where there are none."""
    lanes = [lane(node("a", ("m1",)), RUNNING), lane(node("b", ("m1",)))]
    item = waiting("m1", request_id="w", prefixes=TALK, input_tokens=400)
    recall = Recall(beliefs(prompts=kept(lasts=False)), lanes)

    assert recall.of(waiting("m1", request_id="o", prefixes=TALK), M1, {"a": 300}, 0.01) == 0
    assert recall.of(item, M1, {"a": 300, "b": 200}, 0.01) == 200
    assert recall.cached == {"w": {"b": 200}}
    assert recall.places == {"a": 0, "b": 1}


def test_a_board_that_it_may_not_go_to_saves_nothing() -> None:
    """Too hot or draining, another than its pin, or where it failed: none shortens its work."""
    lanes = [lane(node("a", ("m1",))), lane(node("b", ("m1",)))]

    def most(**facts: Any) -> int:
        item = waiting("m1", prefixes=TALK, input_tokens=400, **facts)
        return Recall(beliefs(), lanes).of(item, M1, {"a": 300, "b": 200, "c": 390}, 0.01)

    assert most() == 300
    assert most(pin="b") == 200
    assert most(failed_on=frozenset("a")) == 200
    assert most(pin="c") == 0


def test_among_idle_boards_a_newcomer_takes_the_one_that_loses_least() -> None:
    """Two equal boards, of which the first has a prompt that is expected to be asked for again."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    known = beliefs(prompts=kept(a=300.0))

    assert planned(boards, [waiting("m1", request_id="n")], known=known)[1] == {"n": "b"}
    free = replace(FIXED, lost_prompts=0.0)
    assert planned(boards, [waiting("m1", request_id="n")], known=known, tuning=free)[1] == {
        "n": "a"
    }


def test_the_conversation_itself_pushes_nothing_out() -> None:
    """It goes back to its board, whatever that board would lose to others."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    item = waiting("m1", request_id="n", prefixes=TALK, input_tokens=400)

    assert planned(boards, [item], known=beliefs(prompts=kept(a=9000.0)))[1] == {"n": "a"}


def test_an_explanation_names_the_prompt_only_where_it_will_be() -> None:
    """Board a runs another prompt of this model, which pushes it out; the price of what b would
    lose is among the prices."""
    nodes = [node("a", ("m1",)), node("b", ("m1",)), node("c", ("m1",))]
    item = waiting("m1", prefixes=TALK, input_tokens=400)
    known = beliefs(prompts=kept(lasts=False, b=50.0, c=100.0))

    found = decide(item, fleet(*nodes), {"a": RUNNING}, 0.0, Routing(), beliefs=known, tuning=FIXED)

    terms = {each.node: each.terms for each in found.candidates if each.terms}
    assert {name: each.cached_tokens for name, each in terms.items()} == {"a": 0, "b": 200, "c": 0}
    assert terms["b"].price_s == about(0.0), "it goes on there"
    again_s = 0.5 / 6 * 2.0  # what it has to read, though b need not: see `waste_price`
    assert terms["c"].price_s == about(0.5 * 1.0 + again_s), "one of two others is idle"


def test_a_beginning_that_all_prompts_share_is_no_conversation() -> None:
    """300 tokens of 3,000 are cached on the board with the long conversation: it pays for four
    fifths of that."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    known = beliefs(prompts=KeptPrompts(risks={("a", M1): 3000.0}, t1={"a": 300}))

    def goes(tokens: int) -> dict[str, str]:
        item = waiting("m1", request_id="n", prefixes=TALK, input_tokens=tokens)
        return planned(boards, [item], known=known)[1]

    assert goes(3000) == {"n": "b"}
    assert goes(330) == {"n": "a"}


def test_a_board_that_is_busy_for_longer_than_it_saves_is_no_help() -> None:
    """It has the prompt and runs another model for 50 s; reading takes 3."""
    long = {"r": held("m2", output_limit=500)}
    lanes = [lane(node("a", ("m1", "m2")), long, known=beliefs(outputs=500.0))]
    item = waiting("m1", request_id="w", prefixes=TALK, input_tokens=400)
    recall = Recall(beliefs(), lanes)

    assert recall.of(item, M1, {"a": 300}, 0.01) == 0
    assert recall.cached == {"w": {"a": 300}}
    assert recall.of(item, M1, {"a": 300}, 1.0) == 300


def test_who_starves_pays_for_nobodys_prompt() -> None:
    """Two idle boards with long conversations, one that is busy for 10 s: the newcomer waits for
    that one, who waited beyond the bound does not."""
    boards = [node("a", ("m1",)), node("b", ("m1",)), node("c", ("m1",))]
    load = {"c": holds("m1", output_limit=100)}
    known = beliefs(prompts=kept(a=9000.0, b=9000.0))
    item = waiting("m1", request_id="n", since_s=0.0)

    assert planned(boards, [item], load, known=known, now_s=1.0)[1] == {}
    assert planned(boards, [item], load, known=known, now_s=900.0, starvation_s=60.0)[1] == {
        "n": "a"
    }


def test_a_suspect_before_it_changes_nothing_of_a_conversations_board() -> None:
    """Looking whether a board is empty plans nothing there."""
    boards = [node("a", ("m1",)), node("b", ("m1",)), node("c", ("m1",))]
    known = beliefs(prompts=kept(a=900.0))
    talk = waiting("m1", request_id="t", prefixes=TALK, input_tokens=400, since_s=1.0)
    suspect = waiting("m1", request_id="s", crashes=1, since_s=0.0)

    assert planned(boards, [suspect, talk], known=known)[1] == {"s": "b", "t": "a"}


def test_without_the_term_prompts_have_no_price() -> None:
    """Neither what is cached nor what would be lost."""
    boards = [node("a", ("m1",)), node("b", ("m1",))]
    known = beliefs(prompts=kept(a=900.0))
    tuning = replace(FIXED, prefix_term=False)

    assert planned(boards, [waiting("m1", request_id="n")], known=known, tuning=tuning)[1] == {
        "n": "a"
    }
