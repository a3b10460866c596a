"""Nodes, classes, labels, and the state of a board."""

from __future__ import annotations

from typing import Any

import pytest

from builders.clusters import (
    NAMESPACE,
    boards,
    node,
    node_body,
    nodes_of,
    report,
    seen,
    three_nodes,
)
from builders.fleets import GIB
from orion_contracts.config import Thresholds
from orion_contracts.health import Engine
from orion_operator.board import Gates, Sighting
from orion_operator.labels import belonging, refuge
from orion_operator.nodes import NodeFacts, read_node
from orion_operator.sightings import Read, Trail, follow, reckoned_while_away, sightings
from orion_operator.spec import read_spec
from orion_operator.spec_fleet import ThresholdSpec

CLASS, OWNER = "inference.orion.dev/class", "inference.orion.dev/owner"


def test_a_node_is_read_from_what_the_api_server_sends() -> None:
    """Memory, labels, cordon, readiness, our taint and our condition."""
    body = node_body("pi", "8039524Ki", labels={CLASS: "8gb", OWNER: "robot"}, unschedulable=True,
                     taints=[{"key": "inference.orion.dev/gated"}])  # fmt: skip
    body["status"]["conditions"].append(
        {"type": "InferenceReady", "status": "False", "reason": "Hot"}
    )

    assert read_node(body) == NodeFacts(
        name="pi", memory_bytes=8039524 * 1024, node_class="8gb", owner="robot",
        unschedulable=True, ready=True, tainted=True, condition="False/Hot",
    )  # fmt: skip


@pytest.mark.parametrize("status", [None, {}, {"capacity": None}, {"capacity": {"memory": "?"}},
                                    {"conditions": [None, "x"], "capacity": []}])  # fmt: skip
def test_a_node_that_says_nothing_breaks_nothing(status: Any) -> None:
    """A Node that has just registered, or a broken one."""
    facts = read_node({"metadata": {"name": "pi"}, "spec": None, "status": status})

    assert facts == NodeFacts(name="pi", ready=False)


def test_boards_are_classed_by_memory() -> None:
    """16 GB, 8 GB, and the 4 GB board excluded; all belong to this namespace."""
    found = belonging(three_nodes(), read_spec({}), NAMESPACE)

    assert found.classes == {"pi-16gb": "16gb", "pi-8gb": "8gb", "pi-4gb": "excluded"}
    assert found.changes["pi-8gb"] == {CLASS: "8gb", OWNER: NAMESPACE}
    assert found.foreign == {}


def test_labels_that_are_right_are_not_written_again() -> None:
    """And one that a person changed by hand is corrected: the class is the operator's to say."""
    right = {CLASS: "8gb", OWNER: NAMESPACE}
    wrong = {CLASS: "16gb", OWNER: NAMESPACE}
    nodes = nodes_of(node_body("right", labels=right), node_body("wrong", labels=wrong))

    assert belonging(nodes, read_spec({}), NAMESPACE).changes == {"wrong": right}


def test_a_board_that_was_excluded_beforehand_stays_so() -> None:
    """Labelled by hand before the installation, to keep even the operator away: only the owner is
    added, so there is no moment without the label."""
    nodes = nodes_of(node_body("pi-4gb", memory="3800Mi", labels={CLASS: "excluded"}))
    found = belonging(nodes, read_spec({}), NAMESPACE)

    assert found.changes == {"pi-4gb": {CLASS: "excluded", OWNER: NAMESPACE}}


def test_a_board_of_another_namespace_is_left_alone() -> None:
    """Whoever wrote the owner: its labels are not touched, and it is no board of ours."""
    nodes = nodes_of(node_body("theirs", labels={OWNER: "lab"}), node_body("ours"))
    found = belonging(nodes, read_spec({}), NAMESPACE)

    assert found.foreign == {"theirs": "lab"}
    assert (set(found.classes), set(found.changes)) == ({"ours"}, {"ours"})


def test_a_node_without_memory_waits_for_its_label() -> None:
    """A kubelet that has just registered must not be excluded and then included."""
    assert belonging([node("new", 0)], read_spec({}), NAMESPACE).classes == {}


@pytest.mark.parametrize(("said", "found"), [("excluded", "excluded"), ("16gb", "16gb"),
                                             ("gone", "excluded")])  # fmt: skip
def test_a_board_named_in_the_spec_has_that_class(said: str, found: str) -> None:
    """Whatever its memory; a class that is not there (any more) lets nothing in."""
    spec = read_spec({"nodes": [{"name": "pi", "class": said}]})

    assert belonging([node("pi")], spec, NAMESPACE).classes == {"pi": found}


def test_an_operator_on_an_excluded_board_has_a_refuge() -> None:
    """A ready, schedulable board of another class; none: it stays."""
    nodes = {n.name: n for n in three_nodes()}
    classes = belonging(nodes.values(), read_spec({}), NAMESPACE).classes

    assert refuge("pi-4gb", classes, nodes) == "pi-16gb"
    assert refuge("pi-8gb", classes, nodes) == ""
    assert refuge("", classes, nodes) == ""
    busy = {n: node(n, unschedulable=True) for n in nodes}
    assert refuge("pi-4gb", classes, busy) == ""


@pytest.mark.parametrize(
    ("sighting", "states"),
    [
        (seen("pi"), ("Eligible",)),
        (Sighting(), ("Waiting",)),
        (Sighting(heard=True), ("Silent",)),
        (Sighting(report=report("pi"), heard=True), ("Silent",)),
        (Sighting(report=report("pi"), alive=True, marked=True), ("Draining",)),
        (Sighting(report=report("pi"), alive=True, gates=Gates(hot=True)), ("Hot",)),
        (Sighting(report=report("pi"), alive=True, gates=Gates(True, True)), ("Hot", "LowMemory")),
        (seen("pi", engine=Engine(reachable=False)), ("EngineUnreachable",)),
        (seen("pi", engine=Engine(reachable=True, wedged=True)), ("EngineWedged",)),
        (seen("pi", temperature_c=None, temperature_known_before=True), ("Blind",)),
        (seen("pi", temperature_c=None), ("Eligible",)),
    ],
)
def test_a_board_says_its_state(sighting: Sighting, states: tuple[str, ...]) -> None:
    """One word for what its worker reports; never a reason for what was never readable."""
    (board,) = boards(read_spec({}), [node("pi")], {"pi": sighting})

    assert board.states == states
    assert board.state == states[0]


def test_cordon_and_spec_drain_a_board() -> None:
    """A cordoned node and `drain: true`; the cordon is named where both hold."""
    spec = read_spec({"nodes": [{"name": "b", "drain": True}, {"name": "c", "drain": True}]})
    nodes = [node("a", unschedulable=True), node("b"), node("c", unschedulable=True), node("d")]

    assert [b.drain for b in boards(spec, nodes)] == ["cordoned", "requested", "cordoned", None]


def test_a_node_that_is_not_ready_is_in_trouble_first() -> None:
    """Kubernetes' word comes before the worker's."""
    (board,) = boards(read_spec({}), [node("pi", ready=False)], {"pi": Sighting(heard=True)})

    assert board.states == ("NotReady", "Silent")


def test_gates_close_and_open_with_hysteresis() -> None:
    """Above 75 until 70 °C, above 90 until 85 %."""
    limits = Thresholds()
    celsius = [74.0, 76.0, 71.0, 70.0]
    gates = Gates()
    found: list[bool] = []
    for each in celsius:
        gates = gates.after(report("pi", temperature_c=each), limits)
        found.append(gates.hot)
    assert found == [False, True, True, False]

    full = [0.12, 0.09, 0.12, 0.16]
    found = []
    for free in full:
        gates = gates.after(report("pi", memory_available_bytes=int(8 * GIB * free)), limits)
        found.append(gates.full_ram)
    assert found == [False, True, True, False]
    assert gates.after(None, limits) is gates


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    """A worker that was never heard is waited for; one that was is silent."""
    spec = ThresholdSpec()
    there, gone = Read(report("pi"), True, False), Read(None, False, False)
    first = follow({}, {"pi": there, "new": gone}, spec, 100.0)
    later = follow(first, {"pi": gone, "new": gone}, spec, 160.0)
    found = sightings(later, ["pi", "new", "unknown"], 160.0)

    assert (found["pi"].heard, found["pi"].silent_s) == (True, 60.0)
    assert (found["new"].heard, found["new"].silent_s) == (False, 60.0)
    assert "unknown" not in found


def test_a_store_that_was_away_is_not_the_boards_silence() -> None:
    """After ten minutes without the store no board counts as silent for ten minutes."""
    trails = {"pi": Trail(100.0, True)}
    back = reckoned_while_away(trails, 600.0)

    assert sightings(back, ["pi"], 705.0)["pi"].silent_s == 5.0
