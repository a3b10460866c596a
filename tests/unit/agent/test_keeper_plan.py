"""The keeper's decisions: values in, one step for each lane out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_agent.keeper_facts import FOREVER_S, Facts, Kept
from orion_agent.keeper_fit import GIB, Room
from orion_agent.keeper_plan import DELETE_AFTER_S, GUEST_IDLE_S, Plan, Step, plan
from orion_agent.keeper_value import to_leave
from orion_contracts.config import ModelConfig
from orion_contracts.health import DiskModel, ResidentModel

NOW_S, WALL_S = 10_000.0, 1_800_000_000.0
REGISTRIES = ("registry.ollama.ai",)


def disk(*names: str, size: int = GIB) -> dict[str, DiskModel]:
    """Models on disk, each its own file."""
    return {n: DiskModel(name=n, digest=f"d-{n}", size_bytes=size) for n in names}


def resident(
    *names: str, size: int = GIB, context: int = 4096, left_s: float = FOREVER_S
) -> dict[str, ResidentModel]:
    """Models in memory."""
    until = datetime.fromtimestamp(WALL_S + left_s, UTC).isoformat()
    return {
        n: ResidentModel(
            name=n, digest=f"d-{n}", size_bytes=size, context_length=context, expires_at=until
        )
        for n in names
    }


def facts(*assigned: str | ModelConfig, **more: Any) -> Facts:
    """A quiet board of 8 GiB with 6 GiB available, `a:1` and `b:1` on its disk."""
    given: dict[str, Any] = {
        "now_s": NOW_S, "wall_s": WALL_S, "disk": disk("a:1", "b:1"), "quiet_s": 60.0,
        "room": Room(6 * GIB, 8 * GIB, 85.0), "disk_free_bytes": 50 * GIB,
        "disk_reserve_bytes": 2 * GIB, "registries": REGISTRIES,
        "assigned": tuple(ModelConfig(name=m) if isinstance(m, str) else m for m in assigned),
        **more,
    }  # fmt: skip
    return Facts(**given)


def did(found: Plan) -> tuple[str, str]:
    """The steps in short."""
    return _short(found.fetch), _short(found.memory)


def _short(step: Step | None) -> str:
    return f"{step.kind} {step.name}" if step else ""


def test_nothing_is_placed_and_nothing_happens() -> None:
    """Whatever is on disk and in memory is somebody else's."""
    assert plan(facts(resident=resident("a:1"))) == Plan()


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param(facts("c:1"), ("pull c:1", ""), id="missing"),
        pytest.param(facts("c"), ("pull c:latest", ""), id="missing-without-a-tag"),
        pytest.param(facts("a:1"), ("", "load a:1"), id="on-disk"),
        pytest.param(facts("c:1", "a:1"), ("pull c:1", "load a:1"), id="both-lanes"),
        pytest.param(facts("registry.ollama.ai/library/a:1"), ("", "load a:1"), id="full-name"),
        pytest.param(facts("a:1", resident=resident("a:1")), ("", ""), id="all-is-well"),
        pytest.param(facts("a:1", loading=True), ("", ""), id="another-load-goes-on"),
        pytest.param(facts(ModelConfig(name="a:1", preload=False)), ("", ""), id="no-preload"),
        pytest.param(
            facts("a:1", resident=resident("a:1", left_s=300)), ("", "touch a:1"),
            id="stays-too-short",
        ),
        pytest.param(
            facts("a:1", resident=resident("a:1", left_s=300), busy=frozenset({"a:1"})), ("", ""),
            id="stays-too-short-but-is-busy",
        ),
        pytest.param(
            facts(ModelConfig(name="a:1", keep_alive_seconds=60),
                  resident=resident("a:1", left_s=9)),
            ("", ""), id="has-its-own-keep-alive",
        ),
        pytest.param(
            facts(ModelConfig(name="a:1", keep_alive_seconds=60), once=frozenset({"a:1"})),
            ("", ""), id="left-by-its-own-keep-alive",
        ),
        pytest.param(
            facts(ModelConfig(name="a:1", context_length=8192), resident=resident("a:1")),
            ("", "load a:1"), id="other-context",
        ),
        pytest.param(
            facts("a:1", resident=resident("a:1", context=8192, left_s=300)), ("", "touch a:1"),
            id="any-context-will-do",
        ),
        pytest.param(
            facts(kept={"a:1": Kept()}, resident=resident("a:1", "b:1")), ("", "unload a:1"),
            id="left",
        ),
        pytest.param(
            facts(kept={"a:1": Kept()}, resident=resident("a:1"), busy=frozenset({"a:1"})),
            ("", ""), id="left-and-busy",
        ),
        pytest.param(
            facts("a:1", held={("memory", "a:1"): "broken"}), ("", ""), id="next-try-not-due",
        ),
        pytest.param(
            facts("c:1", "d:1", held={("fetch", "c:1"): "away"}), ("pull d:1", ""),
            id="one-fails-the-next-is-fetched",
        ),
    ],
)  # fmt: skip
def test_steps(what: Facts, expected: tuple[str, str]) -> None:
    """One step for each lane."""
    assert did(plan(what)) == expected


def test_two_tags_of_one_file_are_one_model_in_memory() -> None:
    """Neither loaded twice nor unloaded for the tag that left."""
    both = {**disk("a:1"), "twin:1": DiskModel(name="twin:1", digest="d-a:1", size_bytes=GIB)}

    assert did(plan(facts("twin:1", disk=both, resident=resident("a:1")))) == ("", "")
    left = facts("twin:1", disk=both, resident=resident("a:1"), kept={"a:1": Kept()})
    assert did(plan(left)) == ("", "")


# --- requests come first -----------------------------------------------------------------------


BUSY: dict[str, Any] = {"busy": frozenset({"b:1"}), "quiet_s": 0.0, "resident": resident("b:1")}


def test_over_a_running_request_only_what_surely_pushes_nothing_out_is_loaded() -> None:
    """Known or seen seats, and memory."""
    assert did(plan(facts("a:1", **BUSY))) == ("", "")
    assert did(plan(facts("a:1", **BUSY, seats=1))) == ("", "")
    assert did(plan(facts("a:1", **BUSY, seats=2))) == ("", "load a:1")
    assert did(plan(facts("a:1", **BUSY, seats_seen=2))) == ("", "load a:1")
    assert did(plan(facts("a:1", **BUSY, seats=2, room=Room(2 * GIB, 8 * GIB, 85.0)))) == ("", "")


def test_between_two_requests_of_a_conversation_nothing_is_pushed_out() -> None:
    """The guest keeps its seat until it was idle for a while; then it makes room."""
    guest = resident("b:1", left_s=600)
    for idle_s, expected in ((1.0, ""), (GUEST_IDLE_S - 1, ""), (GUEST_IDLE_S, "unload b:1")):
        seen = facts("a:1", resident=guest, seats=1, quiet_s=idle_s, used_s={"b:1": NOW_S - idle_s})
        assert did(plan(seen)) == ("", expected)
    unknown = facts("a:1", resident=guest, quiet_s=9.0, used_s={"b:1": NOW_S - 9})
    assert did(plan(unknown)) == ("", ""), "how many the engine keeps is not known"
    assert did(plan(facts("a:1", seats=1, quiet_s=9.0))) == ("", "load a:1"), "evicted and gone"


def test_the_guest_that_was_idle_longest_makes_room() -> None:
    """And no more leaves than has to."""
    seen = facts(
        "a:1", resident=resident("b:1", "c:1", left_s=9999), seats=2,
        used_s={"b:1": NOW_S - 500, "c:1": NOW_S - 900}, quiet_s=500,
    )  # fmt: skip
    assert did(plan(seen)) == ("", "unload c:1")


def test_what_is_placed_never_makes_room_for_what_is_placed() -> None:
    """It is said instead, and not begun."""
    seen = plan(facts("a:1", "b:1", resident=resident("b:1"), seats=1))

    assert did(seen) == ("", "")
    assert seen.refused == {
        "a:1": "Ollama keeps 1 model in memory at once here (OLLAMA_MAX_LOADED_MODELS), "
        "and b:1 came first"
    }


# --- memory and disk ---------------------------------------------------------------------------


def test_a_model_without_room_in_memory_is_refused_with_the_arithmetic() -> None:
    """Need, what is available, what stays free."""
    seen = plan(facts("a:1", disk=disk("a:1", size=5 * GIB)))

    assert did(seen) == ("", "")
    assert seen.refused == {
        "a:1": "needs 5.8 GiB of memory (file 5.0 GiB + 0.8 GiB for 4096 tokens of context); "
        "6.0 GiB of 8.0 GiB are available, 1.2 GiB of them stay free (85 % is the most that "
        "models may fill)"
    }


def test_what_was_measured_counts_more_than_the_formula() -> None:
    """With the same context only."""
    measured = resident("a:1", size=2 * GIB)
    large = disk("a:1", size=5 * GIB)
    other = ModelConfig(name="a:1", context_length=8192)

    assert did(plan(facts("a:1", disk=large, measured=measured)))[1] == "load a:1"
    assert did(plan(facts(other, disk=large, measured=measured)))[1] == ""


def test_without_knowledge_of_memory_nothing_is_refused() -> None:
    """Unknown stands in nobody's way; unknown disk does, because a full one stops the board."""
    assert did(plan(facts("a:1", room=Room(None, None, 85.0)))) == ("", "load a:1")
    seen = plan(facts("c:1", disk_free_bytes=None))
    assert (did(seen), "cannot be read" in seen.refused["c:1"]) == (("", ""), True)


def test_a_full_disk_is_refused_with_the_arithmetic() -> None:
    """Its size is not known before its manifest is read."""
    seen = plan(facts("c:1", disk_free_bytes=GIB))

    assert seen.refused == {"c:1": "1.0 GiB of disk are free, 2.0 GiB of them stay free"}
    assert did(seen) == ("", "")


def test_above_the_gate_the_least_valuable_idle_model_leaves_first() -> None:
    """Guests before what is placed, the longest unused first; nothing is loaded."""
    full: dict[str, Any] = {"full_ram": True, "used_s": {"b:1": 5.0, "c:1": 1.0}}

    first = facts("a:1", resident=resident("a:1", "b:1", "c:1"), **full)
    assert did(plan(first)) == ("", "unload c:1")
    last = facts("a:1", resident=resident("a:1"), **full)
    assert did(plan(last)) == ("", "unload a:1")
    assert did(plan(facts("a:1", **full))) == ("", "")
    busy = facts("a:1", resident=resident("a:1"), busy=frozenset({"a:1"}), **full)
    assert did(plan(busy)) == ("", "")


# --- leaving -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "deleted"),
    [
        ({}, True),
        ({"kept": {"a:1": Kept(True, "d-a:1")}}, False),
        ({"kept": {"a:1": Kept(False, "")}}, False),
        ({"kept": {"a:1": Kept(False, "another")}}, False),
        ({"left_s": {"a:1": NOW_S - DELETE_AFTER_S + 1}}, False),
        ({"resident": resident("a:1")}, False),
        ({"busy": frozenset({"a:1"})}, False),
        ({"assigned": (ModelConfig(name="a:1", preload=False),)}, False),
    ],
    ids=[
        "pulled-by-us", "retain", "seeded", "replaced-by-somebody", "just-left", "in-memory",
        "in-use", "placed-again",
    ],
)  # fmt: skip
def test_only_a_copy_of_our_own_is_deleted_and_late(change: dict[str, Any], deleted: bool) -> None:
    """Retain false, fetched by the keeper, unchanged, away for ten minutes, used by nobody."""
    given: dict[str, Any] = {
        "kept": {"a:1": Kept(False, "d-a:1")}, "left_s": {"a:1": NOW_S - DELETE_AFTER_S}, **change,
    }  # fmt: skip
    assert (did(plan(facts(**given)))[0] == "delete a:1") is deleted


# --- room for requests -------------------------------------------------------------------------


def leavers(model: str, *, there: Iterable[str], available: float, **more: Any) -> list[str]:
    """Who leaves for a request's model."""
    seen = facts("a:1", resident=resident(*there), disk=disk("a:1", "b:1", "c:1"), **more)
    return to_leave(seen, ModelConfig(name=model), Room(int(available * GIB), 8 * GIB, 90.0))


def test_idle_models_leave_for_a_request_that_needs_their_memory() -> None:
    """As many as it takes, guests first, never one in use."""
    assert leavers("b:1", there=["a:1"], available=3) == []
    assert leavers("b:1", there=["a:1", "c:1"], available=1) == ["c:1"]
    assert leavers("b:1", there=["a:1", "c:1"], available=0.1) == ["c:1", "a:1"]
    busy = frozenset({"c:1"})
    assert leavers("b:1", there=["a:1", "c:1"], available=0.1, busy=busy) == ["a:1"]
    assert leavers("unknown:1", there=["a:1"], available=0.1) == []


@given(
    st.sets(st.sampled_from(["a:1", "b:1", "c:1", "d:1"])),
    st.sets(st.sampled_from(["a:1", "b:1", "c:1"])),
    st.sets(st.sampled_from(["a:1", "b:1", "c:1"])),
    st.floats(0, 8), st.booleans(), st.floats(0, 1000), st.sampled_from([None, 1, 2, 3]),
)  # fmt: skip
def test_whatever_is_seen_no_model_in_use_leaves_and_the_reserve_is_kept(
    assigned: set[str], there: set[str], busy: set[str], available: float, full: bool,
    quiet_s: float, seats: int | None,
) -> None:  # fmt: skip
    """Of any board."""
    seen = facts(
        *sorted(assigned), resident=resident(*there, left_s=600), busy=frozenset(busy & there),
        room=Room(int(available * GIB), 8 * GIB, 85.0), full_ram=full, quiet_s=quiet_s, seats=seats,
        kept={n: Kept() for n in there}, disk=disk("a:1", "b:1", "c:1"),
    )  # fmt: skip
    step = plan(seen).memory

    if step and step.kind in ("unload", "delete"):
        assert step.name not in seen.busy
    if step and step.kind == "load":
        assert seen.room.holds(seen.need(ModelConfig(name=step.name)))
        assert step.name in assigned
        assert seats is None or len(there) < seats


def test_a_reading_older_than_the_last_load_is_not_believed() -> None:
    """The board said 7 GiB available; a model of 5 has been loaded of its 8 since."""
    room = Room(7 * GIB, 8 * GIB, 90)

    assert room.beside(5 * GIB).available_bytes == 3 * GIB
    assert room.beside(0) == room
    assert room.beside(9 * GIB).available_bytes == 0
    assert Room(None, None, 90).beside(5) == Room(None, None, 90)
