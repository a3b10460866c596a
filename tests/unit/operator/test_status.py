"""When a status is written, and what is told as Events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from builders.clusters import facts, node, seen
from orion_contracts.config import Thresholds
from orion_operator.board import Board, Gates, Sighting
from orion_operator.events import Note, event, notes
from orion_operator.facts import Facts, StoreFacts
from orion_operator.feedback import condition_patch, farewell, retainted, wanted_taint
from orion_operator.fields import write
from orion_operator.metrics import Metrics
from orion_operator.nodes import CONDITION, NodeFacts
from orion_operator.ownership import Resource
from orion_operator.publish import Publisher
from orion_operator.spec_models import FeedbackSpec
from orion_operator.status import QUIET_S, read_status, refused, status_of, worth_writing
from orion_operator.status_types import ClusterStatus

NOW, LATER = "2026-01-31T12:00:00.000Z", "2026-01-31T12:05:00.000Z"
MODEL = {"models": [{"name": "m", "placement": {"nodes": ["pi-8gb"]}}]}


def status(given: Facts, before: ClusterStatus | None = None, now: str = NOW) -> ClusterStatus:
    return status_of(given, before or ClusterStatus(), now)


def cool(celsius: float, **facts_: Any) -> dict[str, Sighting]:
    names = ("pi-8gb", "pi-16gb")
    return {name: seen(name, temperature_c=celsius, **facts_) for name in names}


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    """lastTransitionTime is that of the status, not of the message."""
    good = status(facts())
    still = status(facts(config_generation=5), good, LATER)
    bad = status(facts(store=StoreFacts()), good, LATER)
    times = [{c.type: c.last_transition_time for c in s.conditions} for s in (good, still, bad)]

    assert times[0]["Ready"] == times[1]["Ready"] == NOW
    assert (times[2]["Ready"], times[2]["Healthy"]) == (LATER, NOW)


@pytest.mark.parametrize(
    ("change", "material"),
    [
        ({"store": StoreFacts(queue=1, routers={"router-1": 5})}, True),
        ({"store": StoreFacts(queue=5, routers={"router-1": 5})}, True),
        ({"sightings": cool(54.9)}, False),
        ({"sightings": cool(55.0)}, True),
        ({"sightings": cool(50, load_1m=3.0, seq=9)}, False),
        ({"generation": 2}, True),
        ({"sightings": {"pi-8gb": seen("pi-8gb")}}, True),
    ],
)
def test_only_what_counts_is_a_change(change: dict[str, Any], material: bool) -> None:
    """Each write is one to an SD card: five degrees, a first waiting request, a state."""
    old, new = status(facts(sightings=cool(50))), status(facts(**{"sightings": cool(50)} | change))

    assert worth_writing(new, old, 1e9) is material
    assert not worth_writing(old, old, 1e9)


def test_a_queues_exact_length_is_no_change() -> None:
    """5 or 7 waiting: the same; 5 or 8: not."""

    def waiting(count: int) -> ClusterStatus:
        return status(facts(store=StoreFacts(queue=count, routers={"router-1": 5})))

    assert not worth_writing(waiting(7), waiting(5), 1e9)
    assert worth_writing(waiting(8), waiting(5), 1e9)


def test_at_most_every_thirty_seconds() -> None:
    """Except for a new generation of the spec, and Ready that turns True: somebody waits."""
    old, bad = status(facts()), status(facts(store=StoreFacts()))
    new = status(facts(generation=2))

    assert not worth_writing(bad, old, QUIET_S - 0.1)
    assert worth_writing(bad, old, QUIET_S)
    assert worth_writing(new, old, 0)
    superseded = refused("Superseded", "mine is in force", 1, old, NOW)
    assert worth_writing(superseded, old, 0)
    assert worth_writing(old, superseded, 0)
    assert worth_writing(old, bad, 0)


def test_a_status_is_read_back() -> None:
    """A restarted operator begins with what it wrote; what makes no sense counts as none."""
    made = status(facts(MODEL))

    assert read_status(write(made)) == made
    assert read_status({"nodes": "x"}) == ClusterStatus()
    assert read_status({}) == ClusterStatus()


def test_a_resource_that_is_not_in_force_has_one_condition() -> None:
    """Ready is False with the reason; no tables."""
    made = refused("Superseded", "mine is in force", 3, status(facts()), NOW)

    assert [(c.type, c.status, c.reason) for c in made.conditions] == [
        ("Ready", "False", "Superseded")
    ]
    assert (made.nodes, made.observed_generation) == ((), 3)


def reasons(before: ClusterStatus, after: ClusterStatus) -> list[tuple[str, str]]:
    return [(n.kind, n.reason) for n in notes(before, after)]


def test_nothing_happened_nothing_is_told() -> None:
    """Also not after a restart of the operator."""
    made = status(facts(MODEL))

    assert notes(made, made) == ()
    assert notes(read_status(write(made)), made) == ()


def test_the_beginning_is_told_in_short() -> None:
    """Boards that joined and the configuration; conditions only where they are bad."""
    assert reasons(ClusterStatus(), status(facts())) == [
        ("Normal", "BoardJoined"), ("Normal", "BoardJoined"), ("Normal", "BoardJoined"),
        ("Normal", "ConfigWritten"),
    ]  # fmt: skip


def test_a_board_that_grows_hot_and_returns_is_told() -> None:
    """A warning with the remedy, and the end of it."""
    hot = {**cool(50), "pi-8gb": replace(seen("pi-8gb", temperature_c=76.0), gates=Gates(hot=True))}
    before, during = status(facts(sightings=cool(50))), status(facts(sightings=hot))

    assert reasons(before, during) == [("Warning", "BoardsInTrouble"), ("Warning", "BoardHot")]
    assert "gets work again at temperatureReturnC" in notes(before, during)[1].message
    assert reasons(during, before) == [("Normal", "AllEligible"), ("Normal", "BoardEligible")]


def test_models_are_told_when_they_come_and_go() -> None:
    """Resident, unloaded, fetched, removed."""
    nothing = status(facts(MODEL))
    pull = {"model": "m", "state": "pulling", "completed_bytes": 1, "total_bytes": 9}
    pulling = status(facts(MODEL, sightings=cool(50, pulls=(pull,))))
    there = status(facts(MODEL, sightings=cool(50, resident={"m": 1.0})))
    removed = status(facts())

    assert ("Normal", "ModelPulling") in reasons(nothing, pulling)
    assert ("Normal", "ModelResident") in reasons(pulling, there)
    assert ("Normal", "ModelUnloaded") in reasons(there, nothing)
    assert ("Normal", "ModelRemoved") in reasons(there, removed)


def test_boards_that_join_leave_or_change_class_are_told() -> None:
    """By name."""
    before = status(facts(nodes=[node("a"), node("b")]))
    after = status(facts(nodes=[node("b", 16), node("c")]))
    told = {(n.reason, n.subject) for n in notes(before, after)}

    assert {("BoardJoined", "c"), ("BoardLeft", "a"), ("BoardReclassified", "b")} <= told


def test_a_hundred_boards_do_not_make_a_hundred_events() -> None:
    """Twenty at most; the status has the rest."""
    assert (
        len(notes(ClusterStatus(), status(facts(nodes=[node(f"n{i}") for i in range(60)])))) == 20
    )


def test_a_repetition_has_the_same_name() -> None:
    """So that it is counted up, not added; another board has another."""
    one = event(Note("Normal", "BoardHot", "x", "a"), "icl", "u", "robot", NOW)
    again = event(Note("Warning", "BoardHot", "y", "a"), "icl", "u", "robot", LATER)
    other = event(Note("Normal", "BoardHot", "x", "b"), "icl", "u", "robot", NOW)

    assert one["metadata"]["name"] == again["metadata"]["name"] != other["metadata"]["name"]
    assert one["involvedObject"]["uid"] == "u"


class FakeCluster:
    """Keeps what is written."""

    namespace = "robot"

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    async def patch_status(self, _: str, document: dict[str, Any]) -> None:
        self.statuses.append(document)

    async def tell(self, document: dict[str, Any]) -> None:
        self.events.append(document)


async def test_a_publisher_writes_seldom_and_tells_what_changed() -> None:
    """First status at once; a change within thirty seconds later, and with it its Event."""
    cluster, clock_s = FakeCluster(), [0.0]
    written: Any = cluster
    publisher = Publisher(written, Metrics(), QUIET_S, lambda: clock_s[0], lambda: 1e9)
    resource = Resource(name="mine", uid="u", generation=1)
    good, bad = facts(), facts(store=StoreFacts())

    for at_s, given in ((0.0, good), (5.0, bad), (10.0, good), (20.0, bad), (31.0, bad)):
        clock_s[0] = at_s
        await publisher.publish(resource, partial(status_of, given))

    assert [s["conditions"][0]["status"] for s in cluster.statuses] == ["True", "False"]
    assert [e["reason"] for e in cluster.events].count("NoRouter") == 2
    assert cluster.statuses[1]["summary"]["queue"] is None


def board(**given: Any) -> Board:
    given.setdefault("seen", seen("pi"))
    return Board(name="pi", node_class="8gb", works=True, **given)


def test_feedback_is_off_by_default() -> None:
    """Then nothing is written, and what an earlier setting left is taken away."""
    off = FeedbackSpec()

    assert condition_patch(board(), off, NOW) is None
    assert wanted_taint(board(seen=Sighting(gates=Gates(hot=True))), off) is None
    assert condition_patch(board(condition="True/Eligible"), off, NOW) == {
        "status": {"conditions": [{"$patch": "delete", "type": CONDITION}]}
    }


def test_feedback_tells_kubernetes_once() -> None:
    """A condition that follows the state, a taint while a gate is closed."""
    on = FeedbackSpec(node_conditions=True, taints=True)
    hot = replace(seen("pi", temperature_c=80.0), gates=Gates().after(
        seen("pi", temperature_c=80.0).report, Thresholds()))  # fmt: skip
    patch = condition_patch(board(seen=hot), on, NOW)

    assert patch is not None
    (condition,) = patch["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "Hot")
    assert condition_patch(board(seen=hot, condition="False/Hot"), on, NOW) is None
    taint = wanted_taint(board(seen=hot), on)
    assert taint is not None
    assert (taint["value"], taint["effect"]) == ("Hot", "PreferNoSchedule")
    assert wanted_taint(board(), on) is None


def test_other_peoples_taints_stay() -> None:
    """The list is replaced whole, bound to the version that was read."""
    other = {"key": "dedicated", "effect": "NoSchedule"}
    old = {"key": "inference.orion.dev/gated", "effect": "PreferNoSchedule"}
    new = {**old, "value": "Hot"}
    body = {"metadata": {"resourceVersion": "7"}, "spec": {"taints": [other, old]}}

    assert retainted(body, new) == {
        "metadata": {"resourceVersion": "7"}, "spec": {"taints": [other, new]},
    }  # fmt: skip
    assert retainted(body, None)["spec"] == {"taints": [other]}
    assert retainted({"spec": {"taints": [old]}}, None)["spec"] == {"taints": None}


def test_a_farewell_takes_everything_of_ours() -> None:
    """The owner's label last: it says that the rest is ours."""
    node_ = NodeFacts(
        name="pi", node_class="8gb", owner="robot", tainted=True, condition="True/Eligible"
    )

    assert [sub for sub, _ in farewell(node_)] == ["status", ""]
    assert farewell(node_)[-1][1] == {
        "metadata": {"labels": {"inference.orion.dev/class": None,
                                "inference.orion.dev/owner": None}}
    }  # fmt: skip
    assert farewell(NodeFacts(name="pi")) == []
