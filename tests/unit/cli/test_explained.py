"""Decisions in words."""

from __future__ import annotations

import io
from typing import Any, get_args

import pytest
from rich.console import Console

from orion_cli import explain, explained
from orion_router.policy import Verdict

TERMS = {
    "wait_s": 0.0, "load_s": 1.94, "prefill_s": 0.1, "decode_s": 61.0, "price_s": 5.0,
    "derate": 1.0, "cached_tokens": 0, "completion_s": 63.0, "cost_s": 68.0,
}  # fmt: skip
BOARD: dict[str, Any] = {
    "node": "pi-8gb", "reason": None, "resident": False, "running": 0, "terms": TERMS,
}  # fmt: skip


def board(**changes: Any) -> dict[str, Any]:
    """A board that was looked at."""
    terms = {**TERMS, **changes.pop("terms", {})}
    return {**BOARD, "terms": terms, **changes}


def test_a_boards_seconds_are_rounded_for_reading() -> None:
    """Tenths below ten seconds, then whole ones; what is not there is a dash."""
    assert explained.cells(board()) == (
        "pi-8gb", "no", "0.0 s", "1.9 s", "0.1 s", "61 s", "63 s", "5.0 s", "",
    )  # fmt: skip
    gated = {**BOARD, "reason": "hot", "terms": None}
    assert explained.cells(gated) == ("pi-8gb", "no", *["-"] * 6, "hot")
    assert explained.seconds(1500) == "25 min"


def test_the_remark_says_what_the_seconds_do_not() -> None:
    """Why not, what runs, what is cached, heat, and an earlier failure."""
    said = explained.cells(
        board(
            reason="full",
            running=2,
            terms={"cached_tokens": 46, "derate": 1.25, "price_s": 1e6},
        )
    )[-1]

    assert said == (
        "full, 2 running, 46 tokens of the prompt cached, 1.25 times slower by heat, "
        "it failed there before"
    )


def test_the_legend_explains_the_words_that_occur() -> None:
    """Each once; a word of a newer router is shown all the same."""
    looked = [board(reason="hot"), board(reason="full"), board(reason="odd"), board()]

    assert explained.legend([{"candidates": looked}, {"candidates": looked[:1]}]) == [
        "full: all its places are taken",
        "hot: too hot: no work until it has cooled down",
        "odd: no explanation is known here",
    ]


@pytest.mark.parametrize("word", explained.WORDS)
def test_what_a_word_means_is_ready_to_read(word: str) -> None:
    """No text has a gap for something that the legend does not know."""
    assert "{" not in explained.WORDS[word]


@pytest.mark.parametrize("kind", get_args(Verdict))
def test_every_verdict_has_its_words(kind: str) -> None:
    """And is never shown as it is called in the code."""
    assert kind in explained.VERDICTS
    assert "_" not in explained.verdict({"verdict": kind, "node": "a", "why": "resident"})


def test_one_that_waits_is_told_its_place() -> None:
    """As much as is known: the place, then the board, then the time."""
    assert explained.place({}) == ""
    assert explained.place({"queue_position": 0}) == "it is next"
    assert explained.place({"queue_position": 1}) == "1 request is before it"
    assert (
        explained.place({"queue_position": 3, "planned_node": "pi-a", "estimated_start_s": 42.4})
        == "3 requests are before it; planned on pi-a, expected to begin in 42 s"
    )


def test_states_and_outcomes() -> None:
    """The board only where there is one; the attempt from the second on."""
    assert explained.state({"state": "QUEUED", "node": "old"}) == "waits for a board"
    assert explained.state({"state": "RUNNING", "node": "a", "attempt": 2}) == (
        "is running, on a, attempt 2"
    )
    final = {"queue_ms": 1500, "total_duration_ms": 12_000, "completion_tokens": 7}
    assert explained.outcome(final) == "waited 1.5 s, took 12 s, tokens 7"


def test_another_routers_decisions_are_not_made_up() -> None:
    """Where to ask is said instead."""
    out = io.StringIO()
    told: dict[str, Any] = {"planner": False, "planned_by": "router-1", "decisions": []}

    explain.show(Console(file=out, width=120), "", {}, told)

    assert "router-1" in out.getvalue()
    assert "--url" in out.getvalue()
