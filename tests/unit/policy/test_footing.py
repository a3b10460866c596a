"""What fits into a board's memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from builders.fleets import node
from orion_contracts.health import ResidentModel
from orion_router.fleet import Node
from orion_router.policy.footing import beside, fits, footprint_bytes, room_bytes

GB = 1_000_000_000
M1, M2, M3 = "m1:latest", "m2:latest", "m3:latest"
ON_DISK = {"m1": GB, "m2": 2 * GB, "m3": 3 * GB}
M1_BYTES = GB + 163_840_000 + 200_000_000
"""File, 4e-5 of it for each of 4096 tokens, buffers."""


def board(available: int = 4 * GB, resident: dict[str, int] | None = None, **facts: Any) -> Node:
    return node("a", resident or {}, models=ON_DISK, memory_total_bytes=10 * GB,
                memory_available_bytes=available, **facts)  # fmt: skip


def test_a_model_takes_its_file_its_context_and_its_buffers() -> None:
    """Context grows with its length and with the board's slots."""
    assert footprint_bytes(board(), M1) == M1_BYTES
    assert footprint_bytes(board(), M1, 2048) == GB + 81_920_000 + 200_000_000
    assert footprint_bytes(board(slots=2), M1) == GB + 327_680_000 + 200_000_000


def test_what_is_resident_is_measured() -> None:
    """The engine's own word counts, also where it is less than what was reckoned."""
    assert footprint_bytes(board(resident={"m1": 7}), M1) == 7
    assert footprint_bytes(board(resident={"m1": 0}), M1) == M1_BYTES


@pytest.mark.parametrize("models", [{}, {"m1": 0}])
def test_of_an_unknown_file_nothing_is_known(models: dict[str, int]) -> None:
    """Neither on the disk nor with a size."""
    assert footprint_bytes(node("a", models=models), M1) == 0


def test_models_get_90_percent_less_what_others_use() -> None:
    """6 GB are used, 1 GB of it by a model: 5 GB by others, so 4 of 9 GB are left."""
    assert room_bytes(board(resident={"m1": GB})) == 4 * GB


def test_a_model_that_takes_no_memory_yet_makes_no_room() -> None:
    """Mapped files count as available: others never use less than nothing."""
    assert room_bytes(board(available=9_500_000_000, resident={"m1": GB})) == 9 * GB


def test_no_memory_left_is_not_the_same_as_unknown() -> None:
    """0 bytes available were read; None were not."""
    assert room_bytes(board(available=0)) == -GB
    assert room_bytes(node("a", memory_available_bytes=None)) == math.inf
    assert room_bytes(node("a", memory_total_bytes=None)) == math.inf
    assert room_bytes(node("a", memory_total_bytes=0)) == math.inf
    assert room_bytes(Node("a", None, True)) == math.inf


def test_a_model_fits_to_the_last_byte() -> None:
    """Exactly the room is enough, one byte less is not."""
    others = 9 * GB - M1_BYTES
    exactly = 10 * GB - others

    assert fits(board(available=exactly), M1)
    assert not fits(board(available=exactly - 1), M1)


def test_a_resident_model_fits_by_being_there() -> None:
    """Whatever the figures say: it is in memory."""
    assert fits(board(available=0, resident={"m1": GB}), M1)
    assert not fits(board(available=0), M1)


def test_idle_models_leave_and_busy_ones_stay() -> None:
    """Room for 4 GB: m3 fits in m1's place, and does not fit beside it."""
    full = board(available=3_500_000_000, resident={"m1": 1_500_000_000})

    assert room_bytes(full) == 4 * GB
    assert footprint_bytes(full, M3) == 3_000_000_000 + 491_520_000 + 200_000_000
    assert fits(full, M3)
    assert fits(full, M3, [M3]), "itself is not counted twice"
    assert not fits(full, M3, [M1])
    assert fits(full, M3, [], 1024)
    assert not fits(full, M2, [M1]), "2.53 and 1.5 GB"
    assert fits(full, M2, [M1], 2048), "2.36 and 1.5 GB"


def used(*expires: tuple[str, str]) -> tuple[ResidentModel, ...]:
    return tuple(ResidentModel(name=n, size_bytes=GB, expires_at=at) for n, at in expires)


def with_resident(board: Node, *expires: tuple[str, str]) -> Node:
    assert board.health is not None
    return replace(board, health=replace(board.health, resident=used(*expires)))


def test_a_board_with_one_place_keeps_nothing_beside() -> None:
    """It never showed two at once, or its engine says so."""
    assert beside(board(resident={"m1": GB}), frozenset({M1}), M2) == frozenset()
    told = board(resident={"m1": GB, "m2": GB}, seats=1)
    assert beside(told, frozenset({M1, M2}), M3) == frozenset()
    assert beside(board(), frozenset({M1}), M2) == frozenset()


def test_a_board_that_showed_two_at_once_keeps_one_beside_the_newcomer() -> None:
    """The one used last: its keep-alive ends last."""
    bare = board(available=9 * GB, resident={"m1": GB, "m2": GB})
    shown = with_resident(bare, ("m1", "2026-01-01T00:01:00Z"), ("m2", "2026-01-01T00:02:00Z"))

    assert beside(shown, frozenset({M1, M2}), M3) == frozenset({M2})


def test_as_many_stay_as_the_engine_has_places() -> None:
    """Three places: both stay beside a third one."""
    bare = board(available=9 * GB, resident={"m1": GB, "m2": GB}, seats=3)

    assert beside(bare, frozenset({M1, M2}), M3) == frozenset({M1, M2})
    assert beside(bare, frozenset({M1, M2, M3}), M3) == frozenset({M1, M2}), (
        "itself is not kept beside itself"
    )


def test_what_has_no_room_leaves_though_a_place_is_free() -> None:
    """m3 leaves 0.3 GB of the room: m2 takes exactly that, m1 needs more."""
    resident, room = {"m1": 1_500_000_000, "m2": 300_000_000}, 3_991_520_000
    free = room + GB - 1_800_000_000

    assert room_bytes(board(free, resident)) == room
    assert beside(board(free, resident, seats=3), frozenset({M1, M2}), M3) == frozenset({M2})
    assert beside(board(free - 1, resident, seats=3), frozenset({M1, M2}), M3) == frozenset()


def test_memory_is_taken_by_those_that_stay() -> None:
    """Room for one of two beside the newcomer: the last used stays, the other leaves."""
    two = with_resident(
        board(available=1_600_000_000, seats=3),
        ("m1", "2026-01-01T00:09:00Z"), ("m2", "2026-01-01T00:02:00Z"),
    )  # fmt: skip

    assert room_bytes(two) == 2_600_000_000
    assert beside(two, frozenset({M2, M1}), "unknown:latest") == frozenset({M1, M2})
    assert beside(two, frozenset({M2, M1, "other:latest"}), M1) == frozenset({M2, "other:latest"})
    slim = with_resident(
        board(available=600_000_000, seats=3),
        ("m1", "2026-01-01T00:09:00Z"), ("m2", "2026-01-01T00:02:00Z"),
    )  # fmt: skip
    assert room_bytes(slim) == 1_600_000_000
    assert beside(slim, frozenset({M2, M1}), "unknown:latest") == frozenset({M1})
