"""A follower hands out events in order, each once."""

from __future__ import annotations

import itertools

import pytest

from orion_router.events import Event, Final, Piece
from orion_router.follower import Follower

FINAL = Final({"status": "completed"})


def piece(attempt: int, seq: int) -> Piece:
    return Piece(attempt, seq, [{"content": f"{attempt}.{seq}"}])


async def drain(follower: Follower) -> list[Event]:
    return await follower.next(0.01)


async def test_events_come_in_order() -> None:
    """Pieces and the final, as fed."""
    follower = Follower("r")
    events: list[Event] = [piece(1, 1), piece(1, 2), FINAL]
    for event in events:
        follower.feed(event)

    assert await drain(follower) == events


async def test_a_repeated_piece_is_handed_out_once() -> None:
    """The mailbox and the durable stream may both bring it."""
    follower = Follower("r")
    follower.feed(piece(1, 1))
    follower.feed(piece(1, 1))

    assert await drain(follower) == [piece(1, 1)]


async def test_a_gap_is_filled_from_the_durable_stream_before_anything_newer() -> None:
    """(1,2) is lost: (1,3) and the final wait for the replay."""
    asked: list[Follower] = []
    follower = Follower("r", on_gap=asked.append)
    follower.feed(piece(1, 1))
    follower.feed(piece(1, 3))
    follower.feed(FINAL)
    early = await drain(follower)
    follower.replay([piece(1, 1), piece(1, 2), piece(1, 3)])

    assert early == [piece(1, 1)]
    assert asked == [follower]
    assert await drain(follower) == [piece(1, 2), piece(1, 3), FINAL]


async def test_a_new_attempt_begins_anew() -> None:
    """A board was lost: (2,1) follows (1,5) without a gap."""
    follower = Follower("r", after=(1, 5))
    follower.feed(piece(2, 1))

    assert await drain(follower) == [piece(2, 1)]


async def test_nothing_heard_is_an_empty_list() -> None:
    """A timeout is no event."""
    assert await Follower("r").next(0.001) == []


ALL: list[Event] = [piece(1, 1), piece(1, 2), piece(2, 1), FINAL]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_any_order_of_arrival_ends_in_the_same_sequence(order: tuple[int, ...]) -> None:
    """The mailbox may lose or shuffle: the replay makes it whole, nothing comes twice."""
    follower = Follower("r")
    for i in order:
        follower.feed(ALL[i])
    if follower.needs_replay or follower.last != (2, 1):
        follower.replay(ALL[:3])
    follower.feed(FINAL)

    got = await drain(follower)
    keys = [(e.attempt, e.seq) for e in got if isinstance(e, Piece)]
    assert keys == sorted(set(keys))
    assert got[-1] == FINAL
    assert keys[-1] == (2, 1)
