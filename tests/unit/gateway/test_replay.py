"""A rerun after a lost board: what was sent is not sent twice, and nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_router.events import Piece
from orion_router.gateway.replay import Diverged, Replay


def feed(replay: Replay, attempt: int, texts: Sequence[str], voice: str = "content") -> str:
    """What goes to the client of these tokens."""
    out: list[str] = []
    for seq, text in enumerate(texts, 1):
        out += [d.get(voice, "") for d in replay.feed(Piece(attempt, seq, [{voice: text}]))]
    return "".join(out)


@given(st.text("abé", min_size=1), st.integers(0, 20), st.data())
def test_every_cut_gives_the_whole_text_once(text: str, cut: int, data: st.DataObject) -> None:
    """Lost after any prefix, rerun with any token boundaries: the client has the text once."""
    replay = Replay()
    sent = feed(replay, 1, [text[:cut]] if text[:cut] else [])
    boundary = data.draw(st.integers(0, len(text)))
    tokens = [t for t in (text[:boundary], text[boundary:]) if t]

    assert sent + feed(replay, 2, tokens) == text
    assert replay.rest({"response": text}) == ()


def test_another_text_is_noticed_at_the_first_different_character() -> None:
    """A rerun that says something else diverges."""
    replay = Replay()
    feed(replay, 1, ["The capital"])

    assert feed(replay, 2, ["The "]) == ""
    with pytest.raises(Diverged):
        feed(replay, 2, ["city"])


def test_a_shorter_rerun_diverges_at_its_end() -> None:
    """The final of a rerun must contain all that was sent."""
    replay = Replay()
    feed(replay, 1, ["The capital"])
    feed(replay, 2, ["The "])

    with pytest.raises(Diverged):
        replay.rest({"response": "The "})


def test_a_straggler_of_an_older_attempt_is_dropped() -> None:
    """A board that was given up has nothing more to say."""
    replay = Replay()
    feed(replay, 2, ["Hello"])

    assert feed(replay, 1, ["Bye"]) == ""


def test_thinking_and_text_are_compared_apart() -> None:
    """A rerun repeats its thinking, then its text."""
    replay = Replay()
    feed(replay, 1, ["Hm", "m."], "thinking")
    feed(replay, 1, ["Par"])

    assert feed(replay, 2, ["Hmm."], "thinking") == ""
    assert feed(replay, 2, ["Paris"]) == "is"


@pytest.mark.parametrize("again", ["same", "another"])
def test_tool_calls_are_compared_without_their_random_ids(again: str) -> None:
    """The same call of a function under another id is a repetition."""
    replay = Replay()
    call: dict[str, Any] = {"id": "a", "function": {"name": "f", "arguments": {}}}
    replay.feed(Piece(1, 1, [{"tool_calls": [call]}]))
    name = "f" if again == "same" else "g"
    repeated: dict[str, Any] = {"id": "b", "function": {"name": name, "arguments": {}}}

    if again == "another":
        with pytest.raises(Diverged):
            replay.feed(Piece(2, 1, [{"tool_calls": [repeated]}]))
    else:
        assert replay.feed(Piece(2, 1, [{"tool_calls": [repeated]}])) == []


def test_the_final_brings_what_the_pieces_left_out() -> None:
    """A replayed request whose pieces are gone still gives its whole answer."""
    replay = Replay()
    feed(replay, 1, ["Hel"])

    assert list(replay.rest({"response": "Hello", "tool_calls": [{"id": "x"}]})) == [
        {"content": "lo", "tool_calls": [{"id": "x"}]}
    ]
