"""Hashes of a prompt's beginnings: what is shared is found, what differs is not."""

from __future__ import annotations

import time
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orion_contracts.messages import InferenceRequest
from orion_contracts.meta import MOST_BYTES, Meta, describe
from orion_contracts.prefixes import MOST_PREFIXES, Prefix, outline

KEY = b"k" * 16
SYSTEM = {"role": "system", "content": "You are a careful robot."}
TURNS: tuple[dict[str, Any], ...] = (
    SYSTEM,
    {"role": "user", "content": "Where is the dock?"},
    {"role": "assistant", "content": "Behind you.", "thinking": "hm"},
    {"role": "user", "content": "How far?", "images": ["aGVsbG8="]},
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text()},
        optional={"thinking": st.text(), "images": st.lists(st.text(), max_size=2)},
    ),
    min_size=1,
    max_size=40,
)


def ask(*said: Any, **fields: Any) -> InferenceRequest:
    """A chat that consists of these messages."""
    fields.setdefault("model", "m")
    return InferenceRequest(request_id="i", messages=said, timestamp="t", source="s", **fields)


def digests(*said: Any, key: bytes = KEY, **fields: Any) -> list[str]:
    """The hashes alone."""
    return [prefix.digest for prefix in outline(ask(*said, **fields), key).prefixes]


@given(messages, messages)
def test_a_later_turn_contains_the_earlier_ones(before: list[Any], news: list[Any]) -> None:
    """Where a conversation goes on, every boundary that both chains name has one hash and one
    length; lengths never fall."""
    early = outline(ask(*before), KEY).prefixes
    late = outline(ask(*before, *news), KEY).prefixes

    assert late[0] == early[0]
    if len(news) < MOST_PREFIXES - 1:
        assert early[-1] in late
    assert len(late) == min(len(before) + len(news), MOST_PREFIXES)
    assert sorted(p.tokens for p in late) == [p.tokens for p in late]


CHANGES: tuple[tuple[int, dict[str, Any]], ...] = (
    (0, {"content": "You are a careless robot."}),
    (1, {"role": "tool"}),
    (1, {"content": "Where is the dock"}),
    (2, {"thinking": "oh"}),
    (2, {"tool_calls": [{"function": {"name": "look", "arguments": {}}}]}),
    (3, {"images": ["aGVsbG9v"]}),
)


@pytest.mark.parametrize(("at", "change"), CHANGES)
def test_what_differs_is_shared_up_to_there(at: int, change: dict[str, Any]) -> None:
    """Roles, texts, thinking, calls and pictures count; everything before them is the same."""
    others = [{**turn, **change} if i == at else turn for i, turn in enumerate(TURNS)]
    same = [a == b for a, b in zip(digests(*TURNS), digests(*others), strict=True)]

    assert same == [i < at for i in range(len(TURNS))]


@pytest.mark.parametrize(
    "fields",
    [{"model": "m:1b"}, {"tools": ({"type": "function"},)}, {"think": True}, {"key": b"K" * 16}],
)
def test_nothing_is_shared_across(fields: dict[str, Any]) -> None:
    """Models, sets of tools, ways to think and installations."""
    assert not set(digests(*TURNS)) & set(digests(*TURNS, **fields))


def test_what_the_prompt_does_not_hold_changes_nothing() -> None:
    """Sampling, sessions, a format, and the name's silent tag."""
    plain = digests(*TURNS)

    assert plain == digests(*TURNS, model="m:latest")
    assert plain == digests(*TURNS, options={"seed": 7}, session="s", format="json", stream=True)


def test_a_generated_answer_shares_its_system_text_with_chats() -> None:
    """The same tokens for the board, whichever way they came."""
    generated = digests(
        {"role": "user", "content": "Where is the dock?"},
        operation="generate", generate={"system": SYSTEM["content"]},
    )  # fmt: skip

    assert generated == digests(*TURNS[:2])


def test_text_cannot_pose_as_a_boundary() -> None:
    """A message that looks like two is not two."""
    two = ({"role": "user", "content": "a"}, {"role": "user", "content": "b"})
    one = {"role": "user", "content": 'a"},{"content":"b","role":"user'}

    assert not set(digests(*two)) & set(digests(one))


def test_chains_are_short_and_keep_both_ends() -> None:
    """The first boundary and the last fifteen."""
    said = [{"role": "user", "content": str(i)} for i in range(40)]
    chain = outline(ask(*said), KEY).prefixes

    assert len(chain) == MOST_PREFIXES
    assert chain[0] == outline(ask(said[0]), KEY).prefixes[0]
    assert [outline(ask(*said[:n]), KEY).prefixes[-1] for n in range(26, 41)] == list(chain[1:])
    assert {len(prefix.digest) for prefix in chain} == {12}


def test_no_chain_where_nothing_is_shared() -> None:
    """Without a key, for embeddings, and beyond what can be hashed in passing."""
    assert digests(*TURNS, key=b"") == []
    assert digests(*TURNS, operation="embed") == []
    assert outline(ask(*TURNS), KEY, body_bytes=10**6).prefixes == ()
    assert digests({"role": "user", "content": "", "images": ["a"] * 65}) == []


@pytest.mark.parametrize(
    "said",
    [
        {"content": None}, {"content": "\ud800"}, {"content": "x", "images": [7]},
        {"content": "x", "thinking": 7, "tool_name": "y"}, {"content": "x", "images": 7},
    ],
)  # fmt: skip
def test_hostile_messages_are_no_fault(said: dict[str, Any]) -> None:
    """What no schema lets through is not hashed, and raises nothing."""
    assert outline(ask({"role": "user", **said}), KEY).tokens > 0


def test_tokens_are_estimated_from_all_that_is_rendered() -> None:
    """Texts, thinking, calls, tools and pictures; the last boundary is the whole prompt."""
    tokens = outline(ask(*TURNS), KEY).tokens

    assert tokens == outline(ask(*TURNS), KEY).prefixes[-1].tokens == outline(ask(*TURNS)).tokens
    assert tokens > 256
    assert outline(ask(*TURNS, tools=({"name": "x" * 400},))).tokens > tokens + 100


def test_the_largest_picture_is_told_apart_in_passing() -> None:
    """Ten megabytes take no more than a moment, and another picture has another hash."""
    picture = "".join(f"{i * 2654435761 % 2**32:08x}" for i in range(10**7 // 8))
    other = picture[: 10**6].swapcase() + picture[10**6 :]
    request = ask({"role": "user", "content": "?", "images": [picture]})
    begun_s = time.perf_counter()
    chain = outline(request, KEY, len(picture) + 300).prefixes
    took_s = time.perf_counter() - begun_s

    assert len(chain) == 1
    assert took_s < 0.01  # 0.015 ms here; hashing all of it takes 20 ms
    assert digests({"role": "user", "content": "?", "images": [other]}) != [chain[0].digest]


def test_the_longest_facts_stay_below_a_kilobyte() -> None:
    """Long names cost prefixes, from the second on; what is left can be read."""
    said = [{"role": "user", "content": "x" * 250} for _ in range(40)]
    request = ask(*said, model="m" * 200, session="s" * 256)
    meta = describe(request, pin="p" * 128, key=KEY, body_bytes=11_000)
    read = Meta.from_bytes(meta.to_bytes())

    assert len(meta.to_bytes()) <= MOST_BYTES
    assert 4 < len(read.prefixes) < MOST_PREFIXES
    assert (read.prefixes[0], read.prefixes[-1]) == (meta.prefixes[0], meta.prefixes[-1])
    assert len(describe(ask(*said), key=KEY).to_bytes()) < 600


def test_meta_carries_the_chain_and_the_clients_own_limit() -> None:
    """As admission wrote them; without a limit, 0, and an estimate all the same."""
    meta = describe(ask(*TURNS, options={"num_predict": 7}), key=KEY)
    bare = describe(ask(*TURNS, options={"num_predict": True}))

    assert Meta.from_bytes(meta.to_bytes()) == meta
    assert len(meta.prefixes) == len(TURNS)
    assert (meta.output_limit, meta.output_tokens) == (7, 7)
    assert bare.output_limit == 0 < bare.output_tokens
    assert Meta.from_bytes(b'{"model":"m","prefixes":[["a",1]]}').prefixes == (Prefix("a", 1),)
